using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Metadata;

namespace Marketplace.References;

/// <summary>
/// Remembers what Orleans finds out about a grain interface, which it would do anew, by reflection, for every grain reference that
/// is made: that took longer than all else that a frontend does for a call.
/// </summary>
internal sealed class KnownInterfaceTypes(IServiceProvider services) : IGrainInterfaceTypeProvider
{
    private readonly ConcurrentDictionary<Type, GrainInterfaceType> _known = new(); // as many as the program has grain interfaces

    [ThreadStatic]
    private static bool _asksOthers;

    public bool TryGetGrainInterfaceType(Type type, out GrainInterfaceType grainInterfaceType)
    {
        if (_known.TryGetValue(type, out grainInterfaceType))
        {
            return true;
        }

        if (_asksOthers)
        {
            return false;
        }

        _asksOthers = true;
        try
        {
            grainInterfaceType = _known[type] = services.GetRequiredService<GrainInterfaceTypeResolver>().GetGrainInterfaceType(type);
            return true;
        }
        finally
        {
            _asksOthers = false;
        }
    }
}

public static class KnownInterfaceTypesExtensions
{
    /// <summary>Makes grain references cheap to make, for a silo or a client whose Orleans services have been added.</summary>
    public static IServiceCollection AddKnownInterfaceTypes(this IServiceCollection services)
    {
        services.Insert(0, ServiceDescriptor.Singleton<IGrainInterfaceTypeProvider, KnownInterfaceTypes>()); // the first that knows a type is heard
        return services;
    }
}

using Marketplace.Connections;
using Marketplace.References;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Metadata;
using Orleans.Serialization;

namespace Grains.Tests.References;

public sealed class KnownInterfaceTypesTests
{
    [Fact]
    public void What_was_found_out_about_an_interface_is_not_asked_for_again()
    {
        var asked = new Asked();
        using var services = new ServiceCollection()
            .AddSerializer()
            .AddSingleton<IGrainInterfaceTypeProvider>(asked)
            .AddSingleton<GrainInterfaceTypeResolver>()
            .AddKnownInterfaceTypes()
            .BuildServiceProvider();
        var resolver = services.GetRequiredService<GrainInterfaceTypeResolver>();

        Assert.All(Enumerable.Range(0, 3), _ => Assert.Equal(
            GrainInterfaceType.Create("user"), resolver.GetGrainInterfaceType(typeof(IUserConnectionsGrain))));
        Assert.NotEqual(GrainInterfaceType.Create("user"), resolver.GetGrainInterfaceType(typeof(IConnectionTotalGrain)));

        Assert.Equal([typeof(IUserConnectionsGrain), typeof(IConnectionTotalGrain)], asked.For);
    }

    private sealed class Asked : IGrainInterfaceTypeProvider
    {
        public List<Type> For { get; } = [];

        public bool TryGetGrainInterfaceType(Type type, out GrainInterfaceType grainInterfaceType)
        {
            For.Add(type);
            grainInterfaceType = GrainInterfaceType.Create("user");
            return type == typeof(IUserConnectionsGrain);
        }
    }
}

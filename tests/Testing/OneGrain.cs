using System.Reflection;

namespace Marketplace.Testing;

/// <summary>A grain factory that gives one grain to whoever asks, and takes observers for their own references.</summary>
public class OneGrain : DispatchProxy
{
    private object _grain = null!;

    public static IGrainFactory FactoryOf(object grain)
    {
        var factory = Create<IGrainFactory, OneGrain>();
        ((OneGrain)(object)factory)._grain = grain;
        return factory;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
        targetMethod!.Name == nameof(IGrainFactory.CreateObjectReference) ? args![0] : _grain;
}

using System.Collections.Concurrent;
using System.Reflection;
using Marketplace.Limits;
using Marketplace.Trouble;
using Marketplace.WebFrontend.Limits.Leases;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Limits.Calls;

/// <summary>
/// Takes permits for calls of grain methods that are marked <see cref="LimitedAttribute"/>, where they leave the frontend: it has the
/// leases, so a call that is refused costs the cluster nothing.
/// </summary>
internal sealed class LimitedCallFilter(Lazy<Partitions> partitions, IOptions<LimitsOptions> options) : IOutgoingGrainCallFilter
{
    private readonly ConcurrentDictionary<MethodInfo, LimitedAttribute?> _limits = []; // as many as grain interfaces have methods

    public Task Invoke(IOutgoingGrainCallContext context)
    {
        var limit = context.InterfaceMethod is { } method
            ? _limits.GetOrAdd(method, static method => method.GetCustomAttribute<LimitedAttribute>())
            : null;
        return limit is null || IsFromGrain(context) || !options.Value.Enabled ? context.Invoke() : InvokeAsync(context, limit);
    }

    private async Task InvokeAsync(IOutgoingGrainCallContext context, LimitedAttribute limit)
    {
        var partition = context.TargetId.Key.ToString()!;
        using var lease = (BucketLease)await partitions.Value.Of(limit.Policy).Of(partition).AcquireAsync(limit.Cost);
        switch (lease.Reason)
        {
            case RefusalReason.None:
                await context.Invoke();
                return;
            case RefusalReason.Exhausted:
                throw new CallRefusedException(lease);
            default:
                throw new UnavailableException($"The bucket of the limit \"{limit.Policy}\" could not be reached.");
        }
    }

    /// <summary>Where a silo shares the process, grains' calls come by here too.</summary>
    private static bool IsFromGrain(IOutgoingGrainCallContext context) => context.SourceId is { } source && !source.IsClient();
}

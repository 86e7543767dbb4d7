using System.Diagnostics.Metrics;
using Marketplace.Limits;

namespace Marketplace.Grains.Limits;

/// <summary>What buckets on this silo do: meter <c>Marketplace.Limits</c>.</summary>
internal sealed class LimitMeters
{
    public const string Name = "Marketplace.Limits";

    private readonly Counter<long> _recalls;
    private readonly Counter<long> _returned;
    private readonly Counter<long> _writes;

    public LimitMeters(IMeterFactory factory)
    {
        var meter = factory.Create(Name);
        _recalls = meter.CreateCounter<long>("limits.recalls", "{holder}", "Holders that a bucket asked for permits back.");
        _returned = meter.CreateCounter<long>("limits.returned", "{permit}", "Permits that holders handed back unspent.");
        _writes = meter.CreateCounter<long>("limits.reservations", "{write}", "Reservations written.");
    }

    public void Recalled(LimitPolicyOptions policy, int holders) => _recalls.Add(holders, Algorithm(policy));

    public void Returned(LimitPolicyOptions policy, int permits) => _returned.Add(permits, Algorithm(policy));

    public void Wrote() => _writes.Add(1);

    private static KeyValuePair<string, object?> Algorithm(LimitPolicyOptions policy) => new("algorithm", policy.Algorithm);
}

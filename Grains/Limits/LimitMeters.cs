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
    private readonly Histogram<int> _batches;

    public LimitMeters(IMeterFactory factory)
    {
        var meter = factory.Create(Name);
        _recalls = meter.CreateCounter<long>("limits.recalls", "{holder}", "Holders that a bucket asked for permits back.");
        _returned = meter.CreateCounter<long>("limits.returned", "{permit}", "Permits that holders handed back unspent.");
        _writes = meter.CreateCounter<long>("limits.reservations", "{write}", "Reservations written.");
        _batches = meter.CreateHistogram<int>("limits.batch_size", "{operation}", "Bucket operations that went to PostgreSQL in one statement.");
    }

    public void Recalled(LimitPolicyOptions policy, int holders) => _recalls.Add(holders, Algorithm(policy));

    public void Returned(LimitPolicyOptions policy, int permits) => _returned.Add(permits, Algorithm(policy));

    public void Wrote() => _writes.Add(1);

    /// <summary>Takes down the sizes of batches of one kind, such as <c>read</c>.</summary>
    public Action<int> Batches(string kind) => size => _batches.Record(size, new KeyValuePair<string, object?>("kind", kind));

    private static KeyValuePair<string, object?> Algorithm(LimitPolicyOptions policy) => new("algorithm", policy.Algorithm);
}

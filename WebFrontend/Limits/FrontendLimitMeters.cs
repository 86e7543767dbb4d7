using System.Diagnostics.Metrics;
using Marketplace.WebFrontend.Limits.Leases;

namespace Marketplace.WebFrontend.Limits;

/// <summary>
/// What limiting does on this frontend: meter <c>Marketplace.Limits</c>, each instrument by policy. Requests only count for
/// themselves; sums are made when somebody looks.
/// </summary>
internal sealed class FrontendLimitMeters
{
    public const string Name = "Marketplace.Limits";

    private readonly Partitions _partitions;

    public FrontendLimitMeters(IMeterFactory factory, Partitions partitions)
    {
        _partitions = partitions;
        var meter = factory.Create(Name);
        Count("limits.admitted", "{permit}", "Permits that requests took, also those they gave back.", totals => totals.Admitted);
        Count("limits.denied", "{request}", "Refused requests.", totals => totals.Denied);
        Count("limits.shadow_denied", "{request}", "Requests that a shadow policy would have refused.", totals => totals.ShadowDenied);
        Count("limits.uncounted", "{request}", "Admitted by a trouble mode, without a bucket's permit.", totals => totals.Uncounted);
        Count("limits.leased", "{permit}", "Permits leased from buckets.", totals => totals.Leased);
        Count("limits.handed_back", "{permit}", "Permits handed back to buckets unspent.", totals => totals.HandedBack);
        Count("limits.recalled", "{recall}", "Recalls by buckets.", totals => totals.Recalled);
        Count("limits.grain_calls", "{call}", "Calls to buckets: exchanges and hand-backs, those that failed too.", totals => totals.GrainCalls);
        Gauge("limits.lease_waste", "{permit}", "Permits leased that were neither spent, nor handed back, nor are in hand.", totals => totals.Waste);
        Gauge("limits.partitions", "{partition}", "Partitions kept.", totals => totals.Partitions);
        meter.CreateObservableGauge(
            "limits.grain_calls_per_request", () => Observe(totals => totals.GrainCallsPerRequest), "{call}", "Grain calls for each permit admitted.");
        meter.CreateObservableCounter(
            "limits.trouble_seconds", () => Observe(totals => totals.Trouble.TotalSeconds), "s", "Time in which a bucket could not be reached.");

        void Count(string name, string unit, string description, Func<PolicyTotals, long> read) =>
            meter.CreateObservableCounter(name, () => Observe(read), unit, description);

        void Gauge(string name, string unit, string description, Func<PolicyTotals, long> read) =>
            meter.CreateObservableGauge(name, () => Observe(read), unit, description);
    }

    /// <summary>Each policy's numbers since the start; walks all partitions.</summary>
    public IEnumerable<PolicyTotals> Totals() => _partitions.Tables.Select(table => PolicyTotals.Of(table));

    private IEnumerable<Measurement<T>> Observe<T>(Func<PolicyTotals, T> read) where T : struct =>
        Totals().Select(totals => new Measurement<T>(read(totals), new KeyValuePair<string, object?>("policy", totals.Policy)));
}

/// <summary>One policy's numbers on this frontend since its start.</summary>
/// <param name="Policy">The policy's name.</param>
/// <param name="Admitted">Permits that requests took; those that they gave back are among them.</param>
/// <param name="Denied">Requests refused.</param>
/// <param name="ShadowDenied">Requests that would have been refused were the policy live.</param>
/// <param name="Uncounted">Requests that a trouble mode admitted.</param>
/// <param name="Leased">Permits leased.</param>
/// <param name="HandedBack">Permits handed back.</param>
/// <param name="Recalled">Recalls by buckets.</param>
/// <param name="GrainCalls">Exchanges and hand-backs, those that failed too.</param>
/// <param name="Waste">
/// Permits leased that nobody can spend any more: their lease ended, or they are on their way back. Below zero for a moment while
/// requests take and give back.
/// </param>
/// <param name="Partitions">Partitions kept.</param>
/// <param name="Trouble">Time in which a bucket could not be reached.</param>
internal readonly record struct PolicyTotals(
    string Policy,
    long Admitted,
    long Denied,
    long ShadowDenied,
    long Uncounted,
    long Leased,
    long HandedBack,
    long Recalled,
    long GrainCalls,
    long Waste,
    long Partitions,
    TimeSpan Trouble)
{
    public double GrainCallsPerRequest => (double)GrainCalls / Math.Max(1, Admitted);

    public static PolicyTotals Of(PartitionTable table)
    {
        var meters = table.Context.Meters;
        var (spent, inHand, partitions) = (0L, 0L, 0L);
        foreach (var limiter in table.Kept)
        {
            var of = limiter.Totals;
            (spent, inHand, partitions) = (spent + of.Spent, inHand + of.InHand, partitions + 1);
        }

        // Read after the walk: a partition that retires meanwhile is rather counted twice for a moment than missed.
        spent += meters.RetiredSpent;
        return new(
            meters.Policy,
            meters.HighestAdmitted(spent + meters.GivenBack),
            meters.Denied,
            meters.ShadowDenied,
            meters.Uncounted,
            meters.Leased,
            meters.Returned,
            meters.Recalls,
            meters.Calls,
            meters.Leased - spent - meters.Returned - inHand,
            partitions,
            meters.Trouble);
    }
}

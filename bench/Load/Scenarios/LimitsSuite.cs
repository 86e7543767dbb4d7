using Marketplace.Bench.Load.Suites;

namespace Marketplace.Bench.Load.Scenarios;

/// <summary>What the limiter costs.</summary>
internal static class LimitsSuite
{
    private const string Head = """
        # What the limiter costs

        `GET /api/v1/ping`, one frontend and one silo as processes of their own with a PostgreSQL that syncs to disk, the load
        generator on the same processor. Everything in a section was measured in turn in one run, each after rounds for warming up.
        Figures are medians of the rounds, with the least and the most in brackets; ratios are taken round by round. Read the
        ratios, since machines differ, and the spread, which says how far to trust them. Repeat it by `make bench-limits`, one
        section by `make bench-limits ARGS="--scenario warm"`. The peers are in [bench/peers](../peers).
        """;

    public static Suite<BenchOptions> Suite { get; } = new(
        BenchOptions.Usage, Head, BenchOptions.Parse, [new Warm(), new Denied(), new Hot(), new Cold(), new Million()]);
}

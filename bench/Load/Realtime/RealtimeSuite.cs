using Marketplace.Bench.Load.Suites;

namespace Marketplace.Bench.Load.Realtime;

/// <summary>What connections and messages cost.</summary>
internal static class RealtimeSuite
{
    private const string Head = """
        # What connections and messages cost

        `/hubs/live` of the marketplace, its frontends and one silo as processes of their own, beside the clients on the same
        processor. Everything in a section was measured in turn in one run. Figures are medians of the rounds, with the least and
        the most in brackets; ratios are taken round by round. Read the ratios, since machines differ, and the spread, which says
        how far to trust them. Repeat it by `make bench-realtime`, one section by `make bench-realtime ARGS="--scenario connect"`.
        The peers are in [bench/peers](../peers).
        """;

    public static Suite<RealtimeOptions> Suite { get; } = new(
        RealtimeOptions.Usage, Head, RealtimeOptions.Parse, [new Connect(), new Broadcast(), new Pairs(), new Slow(), new Kill(), new Hold()]);
}

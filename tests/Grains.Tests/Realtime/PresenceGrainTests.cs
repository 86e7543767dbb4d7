using Marketplace.Realtime.Presence;

namespace Grains.Tests.Realtime;

public sealed class PresenceGrainTests(ChannelCluster cluster) : IClassFixture<ChannelCluster>
{
    /// <summary>Several times what lies between two attempts to tell a frontend the same.</summary>
    private static readonly TimeSpan Attempts = TimeSpan.FromSeconds(1);

    private readonly IPresenceGrain _place = cluster.Grains.GetGrain<IPresenceGrain>($"test/presence/{Guid.NewGuid():N}");

    [Fact]
    public async Task What_a_frontend_could_not_be_told_is_told_again()
    {
        var frontend = await cluster.StartFrontendAsync();
        var told = 0;
        frontend.OnPresence = _ =>
        {
            if (Interlocked.Increment(ref told) <= 2)
            {
                throw new InvalidOperationException("not now");
            }
        };

        await ReportAsync(frontend);

        await Eventually.TrueAsync(() => Volatile.Read(ref told) > 2); // more often where it changed meanwhile
    }

    [Fact]
    public async Task An_activation_that_is_over_tells_nobody_any_more()
    {
        var frontend = await cluster.StartFrontendAsync();
        long newest = 0, late = 0;
        frontend.OnPresence = state =>
        {
            if (state.Epoch < Volatile.Read(ref newest))
            {
                Interlocked.Increment(ref late);
            }

            Volatile.Write(ref newest, Math.Max(newest, state.Epoch));
            throw new InvalidOperationException("never");
        };
        await ReportAsync(frontend);
        await Eventually.TrueAsync(() => Volatile.Read(ref newest) > 0);
        var first = Volatile.Read(ref newest);

        await cluster.DeactivateAllAsync();
        await cluster.Directory.Announce(frontend.Address);
        await ReportAsync(frontend);
        await Eventually.TrueAsync(() => Volatile.Read(ref newest) > first);
        await Task.Delay(Attempts, TimeProvider.System); // a call of the first may have been under way
        Volatile.Write(ref late, 0);

        await Task.Delay(Attempts, TimeProvider.System);
        Assert.Equal(0, Volatile.Read(ref late));
    }

    [Fact]
    public async Task A_report_that_comes_late_takes_no_frontend_off_the_list_of_those_who_are_told()
    {
        var (frontend, other) = (await cluster.StartFrontendAsync(), await cluster.StartFrontendAsync());
        var count = 0;
        frontend.OnPresence = state => Volatile.Write(ref count, state.Count);
        await _place.Report(frontend.Address, new(6, 1, [new("ann", 1)]));
        await _place.Report(frontend.Address, new(5, 0, []));

        await _place.Report(other.Address, new(1, 1, [new("bob", 1)]));

        await Eventually.TrueAsync(() => Volatile.Read(ref count) == 2);
    }

    private async Task ReportAsync(TestFrontend frontend) =>
        await _place.Report(frontend.Address, new(1, 1, [new("ann", 1)]));
}

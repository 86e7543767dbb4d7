using Marketplace.WebFrontend.Realtime;
using Microsoft.Extensions.DependencyInjection;

namespace WebFrontend.Tests.Realtime;

/// <summary>Emptying a server whose clients don't know how to leave.</summary>
public sealed class HubDrainTests(OrleansServers servers) : IClassFixture<OrleansServers>
{
    /// <summary>Our clients wait for up to a second more than they are told, and have yet to connect elsewhere then.</summary>
    private static readonly TimeSpan Needed = TimeSpan.FromSeconds(2);

    [Fact]
    public async Task Who_was_told_to_leave_is_not_closed_before_it_can_be_elsewhere()
    {
        await using var client = await servers.ConnectAsync(0);
        var toldAt = TimeProvider.System.GetTimestamp();

        await servers.ServicesOf(0).GetRequiredService<HubDrain<TestHub>>()
            .RunAsync("Draining", TimeSpan.Zero, TestContext.Current.CancellationToken);

        Assert.InRange(TimeProvider.System.GetElapsedTime(toldAt), Needed, TimeSpan.FromSeconds(20));
    }
}

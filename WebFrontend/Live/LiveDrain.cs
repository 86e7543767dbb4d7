using Marketplace.Connections;
using Marketplace.WebFrontend.Connections;
using Marketplace.WebFrontend.Realtime;

namespace Marketplace.WebFrontend.Live;

/// <summary>Sends the live hub's clients to other frontends.</summary>
internal sealed class LiveDrain(HubDrain<LiveHub> drain, IGrainFactory grains, TimeProvider clock) : IClientDrain
{
    private static readonly TimeSpan CapsWithin = TimeSpan.FromSeconds(1);

    public async Task RunAsync(TimeSpan window, CancellationToken hurry)
    {
        // Who is told opens the next connection before the old one is closed. Where the newest replaces the oldest, that would close
        // another of a user's connections, for good, whenever he has as many as he may have.
        var isTold = !await ReplacesOldestAsync(hurry);
        await drain.RunAsync(isTold ? nameof(ILiveClient.Draining) : null, window, hurry);
    }

    private async Task<bool> ReplacesOldestAsync(CancellationToken hurry)
    {
        try
        {
            var inForce = await grains.GetGrain<IConnectionCapsGrain>(0).Get().AsTask().WaitAsync(CapsWithin, clock, hurry);
            return inForce.Caps.WhenFull == WhenFull.ReplaceOldest;
        }
#pragma warning disable CA1031 // whatever it is, the drain goes on
        catch
#pragma warning restore CA1031
        {
            return false;
        }
    }
}

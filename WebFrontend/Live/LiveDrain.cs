using Marketplace.WebFrontend.Connections;
using Marketplace.WebFrontend.Realtime;

namespace Marketplace.WebFrontend.Live;

/// <summary>Sends the live hub's clients to other frontends.</summary>
internal sealed class LiveDrain(HubDrain<LiveHub> drain) : IClientDrain
{
    public Task RunAsync(TimeSpan window, CancellationToken hurry) =>
        drain.RunAsync(nameof(ILiveClient.Draining), window, hurry);
}

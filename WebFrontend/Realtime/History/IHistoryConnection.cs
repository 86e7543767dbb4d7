using Microsoft.AspNetCore.SignalR;

namespace Marketplace.WebFrontend.Realtime.History;

/// <summary>What channels with history need of a connection.</summary>
internal interface IHistoryConnection
{
    /// <summary>Channels with history that it follows, by their names; the inbox reader's. Null until it follows one.</summary>
    Dictionary<string, HistoryFollower>? Following { get; set; }

    /// <summary>Writes, in the order of the calls, without waiting.</summary>
    void Write(SerializedHubMessage message);

    /// <summary>Completes when nothing that was written waits for its reader any more, or never will.</summary>
    Task WhenWrittenAsync();

    /// <summary>Ends it; its client comes back.</summary>
    void Abort();
}

namespace Marketplace.WebFrontend.Connections;

/// <summary>Sends the clients of one hub to other frontends while this one stops.</summary>
internal interface IClientDrain
{
    /// <summary>Returns when no client is left, or none that could be sent away.</summary>
    /// <param name="window">What the clients' departures are spread over.</param>
    /// <param name="hurry">Ends it.</param>
    Task RunAsync(TimeSpan window, CancellationToken hurry);
}

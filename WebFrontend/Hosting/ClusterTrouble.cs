using Marketplace.Trouble;
using Orleans.Runtime.Messaging;

namespace Marketplace.WebFrontend.Hosting;

internal static class ClusterTrouble
{
    /// <summary>
    /// Whether the same call may work in a moment: a silo died, a grain moved, an answer was lost. A call that ends as cancelled is
    /// one of these, as happens while connections to a dying silo are given up: who cancels by himself asks for that first.
    /// </summary>
    public static bool IsTransient(Exception error) => error is TimeoutException or SiloUnavailableException
        or OrleansMessageRejectionException or ClientNotAvailableException or ConnectionFailedException or UnavailableException
        or OrleansException or OperationCanceledException;
}

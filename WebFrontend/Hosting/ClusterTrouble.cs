using Marketplace.Trouble;
using Orleans.Runtime.Messaging;

namespace Marketplace.WebFrontend.Hosting;

internal static class ClusterTrouble
{
    /// <summary>Whether the same call may work in a moment: a silo died, a grain moved, an answer was lost.</summary>
    public static bool IsTransient(Exception error) => error is TimeoutException or SiloUnavailableException
        or OrleansMessageRejectionException or ClientNotAvailableException or ConnectionFailedException or UnavailableException
        or OrleansException;
}

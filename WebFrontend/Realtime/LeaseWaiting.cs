using Marketplace.Trouble;
using Marketplace.WebFrontend.Frontends;

namespace Marketplace.WebFrontend.Realtime;

internal static class LeaseWaiting
{
    /// <summary>Nothing may be sent without a lease; a new one is waited for a moment.</summary>
    /// <exception cref="UnavailableException">There was none.</exception>
    public static async ValueTask EnsureHeldAsync(this IFrontendLease lease, TimeProvider clock)
    {
        if (lease.Epoch is not null)
        {
            return;
        }

        try
        {
            await lease.WaitForEpochAsync(CancellationToken.None).AsTask().WaitAsync(BackplaneLimits.LeasePatience, clock);
        }
        catch (TimeoutException error)
        {
            throw new UnavailableException("This frontend has no lease; nothing may be sent.", error);
        }
    }
}

using Marketplace.Connections;
using Marketplace.Grains.Frontends;
using Marketplace.Trouble;

namespace Marketplace.Grains.Connections;

/// <summary>
/// The caps, for this silo's counters. An answer counts for a second from the moment it was asked for and never longer,
/// so that a change can be acknowledged once all older answers have expired: who is unreachable admits nobody by them either.
/// </summary>
internal sealed class CapsCache(IGrainFactory grains, TimeProvider clock)
{
    public static readonly TimeSpan FreshFor = TimeSpan.FromSeconds(1);

    /// <summary>An answer that took longer than it counts for says nothing.</summary>
    private const int AttemptsMax = 3;

    private readonly SharedAnswer<ConnectionCaps> _answer = new(
        async () => (await grains.GetGrain<IConnectionCapsGrain>(0).Get()).Caps, FreshFor, clock);

    public async ValueTask<ConnectionCaps> GetAsync()
    {
        for (var attempt = 1; attempt <= AttemptsMax; attempt++)
        {
            var shared = await _answer.GetAsync();
            if (_answer.IsFresh(shared))
            {
                return shared.Answer;
            }
        }

        throw new UnavailableException("The caps on connections can't be had in time.");
    }
}

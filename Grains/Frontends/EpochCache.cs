using Marketplace.Frontends;

namespace Marketplace.Grains.Frontends;

/// <summary>
/// What this silo knows of the frontends' epochs, so that counters needn't ask the lease grain each time. What is void stays
/// void, so an old answer only frees a little later, never too early.
/// </summary>
internal sealed class EpochCache(IGrainFactory grains, TimeProvider clock)
{
    private static readonly TimeSpan FreshFor = TimeSpan.FromSeconds(0.5);

    private volatile Entry? _entry;

    /// <summary>An answer not older than half a second, or older if it settles <paramref name="epoch"/> as void already.</summary>
    public async ValueTask<FrontendEpochs> GetAsync(long epoch)
    {
        var entry = _entry;
        if (entry is not null && (entry.Epochs.IsVoid(epoch)
            || (entry.Epochs.IsLive(epoch) && clock.GetElapsedTime(entry.AskedAt) < FreshFor)))
        {
            return entry.Epochs;
        }

        return await GetFreshAsync();
    }

    /// <summary>An answer from now: before anybody is refused.</summary>
    public async ValueTask<FrontendEpochs> GetFreshAsync()
    {
        var askedAt = clock.GetTimestamp();
        var epochs = await grains.GetGrain<IFrontendLeasesGrain>(0).GetEpochs();
        _entry = new Entry(epochs, askedAt);
        return epochs;
    }

    private sealed record Entry(FrontendEpochs Epochs, long AskedAt);
}

using Marketplace.Frontends;

namespace Marketplace.Grains.Frontends;

/// <summary>
/// What this silo knows of the frontends' epochs, so that counters needn't ask the lease grain each time. What is void stays
/// void, so an old answer only frees a little later, never too early.
/// </summary>
internal sealed class EpochCache(IGrainFactory grains, TimeProvider clock)
{
    private readonly SharedAnswer<FrontendEpochs> _answer = new(
        async () => await grains.GetGrain<IFrontendLeasesGrain>(0).GetEpochs(), TimeSpan.FromSeconds(0.5), clock);

    /// <summary>An answer that was half a second old at most, or was waited for; a new one if that knows nothing of the epoch.</summary>
    public async ValueTask<FrontendEpochs> GetAsync(long epoch)
    {
        var epochs = (await _answer.GetAsync()).Answer;
        return epochs.IsVoid(epoch) || epochs.IsLive(epoch) ? epochs : await GetFreshAsync();
    }

    /// <summary>An answer from now: before anybody is refused.</summary>
    public async ValueTask<FrontendEpochs> GetFreshAsync() => await _answer.AskAsync();
}

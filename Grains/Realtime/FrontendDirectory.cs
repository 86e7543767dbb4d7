using Marketplace.Realtime;

namespace Marketplace.Grains.Realtime;

/// <summary>
/// A silo's view of the directory, shared by its channels. Callers say from when on the view must date; whoever comes while
/// one look-up runs shares the next, so a storm of activations costs one call after another and not one each.
/// </summary>
internal sealed class FrontendDirectory(IGrainFactory grains, TimeProvider clock)
{
    private readonly Lock _lock = new();
    private Task<LiveFrontends>? _current;
    private Task<LiveFrontends>? _next;
    private long _currentSince;

    /// <summary>The living frontends as they were at <paramref name="timestamp"/> (of the clock) or later.</summary>
    public Task<LiveFrontends> GetSinceAsync(long timestamp)
    {
        lock (_lock)
        {
            if (_current is { IsFaulted: false, IsCanceled: false } && _currentSince >= timestamp)
            {
                return _current;
            }

            if (_current is { IsCompleted: false } running)
            {
                return _next ??= Task.Run(() => AfterAsync(running));
            }

            return Start();
        }
    }

    private Task<LiveFrontends> Start()
    {
        _currentSince = clock.GetTimestamp();
        return _current = Task.Run(async () => await grains.GetGrain<IFrontendDirectoryGrain>(0).GetAll());
    }

    private async Task<LiveFrontends> AfterAsync(Task<LiveFrontends> previous)
    {
        await ((Task)previous).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Task<LiveFrontends> started;
        lock (_lock)
        {
            _next = null;
            started = Start();
        }

        return await started;
    }
}

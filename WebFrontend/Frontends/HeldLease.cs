namespace Marketplace.WebFrontend.Frontends;

/// <summary>
/// One lease by this process's monotonic clock. It ends once, at whatever comes first: its time as seen by anybody who
/// looks, or a call to <see cref="End"/>; nothing revives it, a late answer to a renewal neither.
/// </summary>
internal sealed class HeldLease : IDisposable
{
    private const long Ended = long.MinValue;

    private readonly TimeProvider _clock;
    private readonly CancellationTokenSource _end = new();
    private readonly TaskCompletionSource _cut = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ITimer _timer;
    private long _endsAt;

    public HeldLease(long epoch, long endsAt, TimeProvider clock)
    {
        Epoch = epoch;
        _clock = clock;
        _endsAt = endsAt;
        EndToken = _end.Token;
        _timer = clock.CreateTimer(_ => Look(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        Arm(endsAt);
    }

    public long Epoch { get; }

    /// <summary>Cancelled when the lease ends; outlives this object's disposal.</summary>
    public CancellationToken EndToken { get; }

    /// <summary>Completes when the lease has ended and whatever hangs on <see cref="EndToken"/> was told so.</summary>
    public Task Cut => _cut.Task;

    /// <summary>
    /// Whether the lease runs. The timer alone wouldn't do: in a process that was paused and resumes, it may fire after
    /// the code that asks here.
    /// </summary>
    public bool Runs => _clock.GetTimestamp() < Volatile.Read(ref _endsAt) || Look();

    /// <summary>Moves the end to <paramref name="endsAt"/>; false when the lease has ended before.</summary>
    public bool Extend(long endsAt)
    {
        var current = Volatile.Read(ref _endsAt);
        if (!Runs || Interlocked.CompareExchange(ref _endsAt, Math.Max(current, endsAt), current) != current)
        {
            return false;
        }

        Arm(endsAt);
        return true;
    }

    public void End()
    {
        if (Interlocked.Exchange(ref _endsAt, Ended) != Ended)
        {
            _ = CutAsync();
        }
    }

    public void Dispose()
    {
        End();
        _timer.Dispose();
    }

    /// <summary>The token is cancelled when this returns; what hangs on it (thousands of connections) runs on the pool.</summary>
    private async Task CutAsync()
    {
        await _end.CancelAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _cut.SetResult();
    }

    /// <summary>Ends the lease if its time is over.</summary>
    private bool Look()
    {
        var endsAt = Volatile.Read(ref _endsAt);
        if (endsAt == Ended)
        {
            return false;
        }

        if (_clock.GetTimestamp() < endsAt)
        {
            Arm(endsAt); // the timer was early, or the lease was extended meanwhile
            return true;
        }

        End();
        return false;
    }

    private void Arm(long endsAt)
    {
        var left = _clock.GetElapsedTime(_clock.GetTimestamp(), endsAt) + TimeSpan.FromMilliseconds(1);
        _timer.Change(left > TimeSpan.Zero ? left : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }
}

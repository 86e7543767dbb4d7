namespace Marketplace.Bench.Load.Driver;

// How a client comes back after its connection was lost.
internal sealed partial class Client
{
    private static readonly TimeSpan ReturnPauseMax = TimeSpan.FromSeconds(5);

    /// <summary>Comes back by way of the other servers, in growing intervals, with a jitter that spreads the crowd.</summary>
    private async Task<bool> ReturnAsync()
    {
        var lostAt = TimeProvider.System.GetTimestamp();
        var pause = crowd.Plan.Jitter;
        for (var attempt = 1; ; attempt++)
        {
            await Task.Delay(pause * Random.Shared.NextDouble(), TimeProvider.System);
            if (_isEnding)
            {
                return false;
            }

            if (await TryOpenAsync(attempt))
            {
                _ = RejoinAsync(lostAt); // which is answered only while somebody reads
                return true;
            }

            pause = pause * 2 < ReturnPauseMax ? pause * 2 : ReturnPauseMax;
        }
    }

    private async Task RejoinAsync(long lostAt)
    {
        var resume = _place is { } place ? crowd.Protocol.Resume(JoinCall, place) : null;
        if (_room is null || await EnterAsync(resume ?? crowd.Protocol.Join(JoinCall, _room)))
        {
            crowd.Tally.Returned(TimeProvider.System.GetElapsedTime(lostAt));
        }
    }
}

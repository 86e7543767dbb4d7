using Microsoft.AspNetCore.Http;

namespace Marketplace.Bench.Load.Measuring;

/// <summary>What one request from each of many client addresses met.</summary>
/// <param name="Requests">How many were sent.</param>
/// <param name="Admitted">How many were answered with 200.</param>
/// <param name="Seconds">From the first request to the last answer.</param>
/// <param name="P50Milliseconds">Half of the answers came within this time.</param>
/// <param name="P99Milliseconds">99 % of the answers came within this time.</param>
/// <param name="LongestMilliseconds">The slowest answer.</param>
internal sealed record OnceEachResult(
    int Requests, int Admitted, double Seconds, double P50Milliseconds, double P99Milliseconds, double LongestMilliseconds)
{
    public double PerSecond => Requests / Seconds;
}

/// <summary>Lets every client address of a range ask exactly once, as fast as the connections go; wrk can't stop at a count.</summary>
internal static class OnceEach
{
    /// <param name="target">What is asked for.</param>
    /// <param name="first">The first client's number.</param>
    /// <param name="count">How many clients; their numbers are below 2^24.</param>
    /// <param name="connections">Requests at once.</param>
    /// <param name="answered">Is told how many have been answered, once in a while.</param>
    /// <param name="cancellationToken">Ends the run.</param>
    public static async Task<OnceEachResult> RunAsync(
        Uri target, int first, int count, int connections, Action<int>? answered, CancellationToken cancellationToken)
    {
        var clock = TimeProvider.System;
        var latencies = new float[count];
        var (next, admitted) = (-1, 0);
        var step = Math.Max(1, count / 10);
        var open = new List<PingConnection>(connections);
        try
        {
            for (var i = 0; i < connections; i++)
            {
                open.Add(new PingConnection(target));
                await open[^1].ConnectAsync(cancellationToken);
            }

            var startedAt = clock.GetTimestamp();
            await Task.WhenAll(open.Select(AskInTurnAsync));
            var elapsed = clock.GetElapsedTime(startedAt);
            Array.Sort(latencies);
            return new(count, admitted, elapsed.TotalSeconds, latencies[count / 2], latencies[(int)(count * 0.99)], latencies[^1]);
        }
        finally
        {
            open.ForEach(connection => connection.Dispose());
        }

        async Task AskInTurnAsync(PingConnection connection)
        {
            for (var i = Interlocked.Increment(ref next); i < count; i = Interlocked.Increment(ref next))
            {
                var sentAt = clock.GetTimestamp();
                if (await connection.AskAsync(first + i, cancellationToken) == StatusCodes.Status200OK)
                {
                    Interlocked.Increment(ref admitted);
                }

                latencies[i] = (float)clock.GetElapsedTime(sentAt).TotalMilliseconds;
                if ((i + 1) % step == 0)
                {
                    answered?.Invoke(i + 1);
                }
            }
        }
    }
}

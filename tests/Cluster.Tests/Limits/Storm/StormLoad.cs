using System.Globalization;
using Marketplace.Cluster;

namespace Cluster.Tests.Limits.Storm;

/// <summary>
/// Sends requests at a steady rate: every address in turn, in an order that is new in each round, to a random frontend. What
/// is in flight to one frontend is bounded: one that hangs holds up its own share and no more, and one that takes no
/// connections is left alone for a moment, as behind a balancer.
/// </summary>
internal sealed class StormLoad(IReadOnlyList<ManagedProcess> frontends, int addresses, double perSecond, int seed, StormClock clock)
    : IDisposable
{
    /// <summary>No request may take longer, if its frontend is alive.</summary>
    public static readonly TimeSpan TimeOut = TimeSpan.FromSeconds(10);

    private const int InFlightMaxPerFrontend = 300;
    private static readonly TimeSpan LeftAloneFor = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(5);

    private readonly HttpClient _client = new(new SocketsHttpHandler { MaxConnectionsPerServer = InFlightMaxPerFrontend })
    {
        Timeout = TimeOut,
    };

    private readonly Random _random = new(seed);
    private readonly int[] _inFlight = new int[frontends.Count];
    private readonly long[] _leftAloneUntil = new long[frontends.Count]; // ticks
    private readonly List<Answer>[] _answers = [.. Enumerable.Range(0, addresses).Select(_ => new List<Answer>())];

    /// <summary>Answers by address; complete when <see cref="RunAsync"/> has ended.</summary>
    public IReadOnlyList<IReadOnlyList<Answer>> Answers => _answers;

    /// <summary>Requests that were due while no frontend took any.</summary>
    public int NotSent { get; private set; }

    /// <summary>Sends until told to end, and waits for what is in flight.</summary>
    public async Task RunAsync(CancellationToken end)
    {
        var startedAt = clock.Now;
        var order = Enumerable.Range(0, addresses).ToArray();
        for (var sent = 0L; !end.IsCancellationRequested;)
        {
            for (var due = (long)((clock.Now - startedAt).TotalSeconds * perSecond); sent < due; sent++)
            {
                var turn = (int)(sent % addresses);
                if (turn == 0)
                {
                    _random.Shuffle(order);
                }

                Send(order[turn]);
            }

            await clock.DelayAsync(Tick, CancellationToken.None);
        }

        while (_inFlight.Sum() > 0)
        {
            await clock.DelayAsync(Tick, CancellationToken.None);
        }
    }

    /// <summary>One request of any address to one frontend.</summary>
    public async Task<Answer> AskAsync(string address, ManagedProcess frontend)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(frontend.Address, "/api/v1/ping"));
        request.Headers.Add("X-Forwarded-For", address);
        var sentAt = clock.Now;
        try
        {
            using var answer = await _client.SendAsync(request);
            var header = answer.Headers.TryGetValues("RateLimit", out var values) ? Answer.ParseReset(values.First()) : null;
            return new(frontend.Name, sentAt, clock.Now, (int)answer.StatusCode, header, answer.Headers.RetryAfter is not null);
        }
        catch (Exception error) when (error is HttpRequestException or IOException)
        {
            return new(frontend.Name, sentAt, clock.Now, Answer.Broken);
        }
        catch (OperationCanceledException)
        {
            return new(frontend.Name, sentAt, clock.Now, Answer.TimedOut);
        }
    }

    public void Dispose() => _client.Dispose();

    private void Send(int address)
    {
        var first = _random.Next(frontends.Count);
        for (var i = 0; i < frontends.Count; i++)
        {
            var frontend = (first + i) % frontends.Count;
            if (Volatile.Read(ref _inFlight[frontend]) < InFlightMaxPerFrontend
                && Volatile.Read(ref _leftAloneUntil[frontend]) <= clock.Now.Ticks)
            {
                Interlocked.Increment(ref _inFlight[frontend]);
                _ = SendAsync(address, frontend);
                return;
            }
        }

        NotSent++;
    }

    private async Task SendAsync(int address, int frontend)
    {
        var text = string.Create(CultureInfo.InvariantCulture, $"203.0.{address / 250}.{(address % 250) + 1}");
        try
        {
            var answer = await AskAsync(text, frontends[frontend]);
            if (answer.Status == Answer.Broken)
            {
                Volatile.Write(ref _leftAloneUntil[frontend], (clock.Now + LeftAloneFor).Ticks);
            }

            lock (_answers[address])
            {
                _answers[address].Add(answer);
            }
        }
        finally
        {
            Interlocked.Decrement(ref _inFlight[frontend]);
        }
    }
}

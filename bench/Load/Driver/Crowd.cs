using System.Security.Cryptography;
using Marketplace.Bench.Load.Driver.Wire;

namespace Marketplace.Bench.Load.Driver;

/// <summary>The clients of one process. Numbers are the whole crowd's, of which this may be a part.</summary>
internal sealed class Crowd : IAsyncDisposable
{
    private const int KeepAliveSeconds = 15; // SignalR's own clients'
    private static readonly TimeSpan AttemptEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan CloseWithin = TimeSpan.FromSeconds(15);
    private readonly Dictionary<int, string> _tokens = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly AccessTokenMint? _mint;
    private readonly Task _looking;
    private volatile IReadOnlyList<Client> _clients = [];

    public Crowd(CrowdPlan plan)
    {
        (Plan, Protocol) = (plan, plan.NewProtocol());
        _mint = plan.TokenKey is { } key ? new(key) : null;
        _looking = LookAsync();
    }

    public CrowdPlan Plan { get; }

    public IWireProtocol Protocol { get; }

    public Tally Tally { get; } = new();

    /// <summary>Makes the names of messages the own ones of those who are connected now.</summary>
    public string Run { get; private set; } = NewRun();

    public IReadOnlyList<Client> Clients => _clients;

    /// <summary>The client's access token, made before by <see cref="PrepareTokens"/>; null when there are none.</summary>
    public string? TokenOf(int client) => _tokens.GetValueOrDefault(Plan.UserOf(client));

    /// <summary>Opens further connections: as many at once, each beginning when it is due.</summary>
    /// <param name="first">The first one's number.</param>
    /// <param name="count">How many.</param>
    /// <param name="perSecond">0 for as fast as they are admitted.</param>
    /// <param name="atOnce">Handshakes under way.</param>
    /// <param name="receiveBuffer">Bytes that the system keeps for a client that doesn't read; 0 for its default.</param>
    /// <returns>Seconds from the first begin to the last end.</returns>
    public async Task<double> OpenAsync(int first, int count, double perSecond, int atOnce, int receiveBuffer)
    {
        PrepareTokens(first, count);
        var opening = Enumerable.Range(first, count).Select(number => new Client(number, this, receiveBuffer)).ToList();
        var before = _clients;
        _clients = [.. before, .. opening]; // while they open they are looked after as well
        var opened = new bool[count];
        var (pace, startedAt) = (new Pace(perSecond), TimeProvider.System.GetTimestamp());
        await EachAsync(count, atOnce, async i =>
        {
            await pace.DueAsync(i, _stopping.Token);
            for (var attempt = 1; !(opened[i] = await opening[i].OpenAsync()) && attempt < Plan.Attempts; attempt++)
            {
                await Task.Delay(AttemptEvery, TimeProvider.System, _stopping.Token);
            }
        });
        var took = TimeProvider.System.GetElapsedTime(startedAt);
        _clients = [.. before, .. opening.Where((_, i) => opened[i])];
        return took.TotalSeconds;
    }

    /// <summary>Puts everybody into a room, neighbours together; returns how many could not join.</summary>
    /// <param name="roomSize">Members of a room; 0 puts everybody into the lobby.</param>
    /// <param name="atOnce">Calls under way.</param>
    public async Task<int> JoinAsync(int roomSize, int atOnce)
    {
        var failed = 0;
        var clients = _clients;
        await EachAsync(clients.Count, atOnce, async i =>
        {
            if (!await clients[i].JoinAsync(Room.NameOf(clients[i].Number, roomSize)))
            {
                Interlocked.Increment(ref failed);
            }
        });
        return failed;
    }

    /// <summary>Lets the first members of every room speak in turn.</summary>
    public async Task SendAsync(int roomSize, int senders, double perSecond, double seconds, int textLength)
    {
        var speaking = _clients.Where(client => Room.Speaks(client.Number, roomSize, senders)).ToList();
        var pace = new Pace(perSecond);
        for (var i = 0L; speaking.Count > 0 && i < perSecond * seconds; i++)
        {
            await pace.DueAsync(i, _stopping.Token);
            var client = speaking[(int)(i % speaking.Count)];
            if (client.IsLive)
            {
                client.Say(textLength);
            }
        }
    }

    /// <summary>
    /// Closes all connections and forgets them. Others may follow with their numbers, whose messages count from 1 as well: under
    /// the same names a room would take them for repeats.
    /// </summary>
    public async Task CloseAsync()
    {
        var clients = _clients;
        _clients = [];
        foreach (var client in clients)
        {
            client.BeginClose();
        }

        var ended = Task.WhenAll(clients.Select(client => client.Ended));
        await ended.WaitAsync(CloseWithin, TimeProvider.System).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var client in clients)
        {
            client.Abort();
        }

        await ended;
        Run = NewRun();
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await CloseAsync();
        await _looking;
        _mint?.Dispose();
        _stopping.Dispose();
    }

    private static string NewRun() => RandomNumberGenerator.GetHexString(8, lowercase: true);

    private void PrepareTokens(int first, int count)
    {
        foreach (var user in Enumerable.Range(first, count).Select(Plan.UserOf))
        {
            if (!_tokens.ContainsKey(user) && (_mint?.Mint(user) ?? Plan.Tokens.ElementAtOrDefault(user)) is { } token)
            {
                _tokens.Add(user, token);
            }
        }
    }

    private async Task LookAsync()
    {
        using var timer = new PeriodicTimer(LookEvery, TimeProvider.System);
        try
        {
            for (var second = 0; await timer.WaitForNextTickAsync(_stopping.Token); second++)
            {
                foreach (var client in _clients)
                {
                    client.Look(keepsAlive: (client.Number + second) % KeepAliveSeconds == 0);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The end.
        }
    }

    /// <summary>Does something for each number below <paramref name="count"/>, in order, so many at once.</summary>
    private static Task EachAsync(int count, int atOnce, Func<int, Task> action)
    {
        var next = -1;
        return Task.WhenAll(Enumerable.Range(0, Math.Min(atOnce, count)).Select(_ => Task.Run(async () =>
        {
            for (var i = Interlocked.Increment(ref next); i < count; i = Interlocked.Increment(ref next))
            {
                await action(i);
            }
        })));
    }
}

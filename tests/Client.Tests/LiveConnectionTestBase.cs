using System.Collections.Concurrent;
using Marketplace.Client;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Connections.Client;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;

namespace Client.Tests;

/// <summary>Servers and connections that end with the test.</summary>
public abstract class LiveConnectionTestBase : IAsyncLifetime
{
    private protected const string Room = "room/lobby";
    private protected static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);
    private readonly List<FakeServer> _servers = [];
    private readonly List<LiveConnection> _connections = [];
    private readonly ConcurrentQueue<LiveState> _states = new();

    private protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The states that connections have been in.</summary>
    private protected IReadOnlyCollection<LiveState> States => _states;

    private protected int Connected => _states.Count(state => state == LiveState.Connected);

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        foreach (var connection in _connections)
        {
            await connection.DisposeAsync().AsTask().WaitAsync(Deadline, Cancellation);
        }

        foreach (var server in _servers)
        {
            await server.DisposeAsync();
        }
    }

    private protected async Task<FakeServer> StartAsync(FakeHistory? history = null, bool isStateful = false)
    {
        _servers.Add(await FakeServer.StartAsync(history, isStateful));
        return _servers[^1];
    }

    private protected static bool IsUpgrade(HttpContext context) => context.Request.Headers.Upgrade.Count > 0;

    private protected LiveConnection Connect(
        FakeServer server,
        FakeServer? other = null,
        Func<bool, string>? accessToken = null,
        Func<Task>? beforeToken = null,
        int queueMax = 1_000,
        int pendingSendsMax = 100,
        TimeSpan? callTimeout = null,
        TimeSpan? retryFirst = null,
        TimeSpan? retryMax = null,
        Func<HubException, bool>? isTransient = null,
        Action<HttpConnectionOptions>? configureHttp = null,
        Action<IHubConnectionBuilder>? configureHub = null)
    {
        var live = new LiveConnection(new()
        {
            Urls = other is null ? [server.Url] : [server.Url, other.Url],
            AccessToken = async (isRefused, _) =>
            {
                await (beforeToken?.Invoke() ?? Task.CompletedTask);
                return accessToken?.Invoke(isRefused);
            },
            RetryFirst = retryFirst ?? TimeSpan.FromMilliseconds(10),
            RetryMax = retryMax ?? TimeSpan.FromMilliseconds(50),
            SettleTime = TimeSpan.FromMilliseconds(100),
            DrainJitter = TimeSpan.FromMilliseconds(10),
            QueueMax = queueMax,
            PendingSendsMax = pendingSendsMax,
            IsTransient = isTransient ?? (error => error.Message.Contains("try again", StringComparison.OrdinalIgnoreCase)),
            CallTimeout = callTimeout ?? TimeSpan.FromSeconds(30),
            ConfigureHttp = configureHttp,
            ConfigureHub = configureHub,
        });
        live.StatusChanged += status => _states.Enqueue(status.State);
        _connections.Add(live);
        return live;
    }

    private protected static string[] Texts(int from, int to) => [.. Enumerable.Range(from, to - from + 1).Select(i => $"{i}")];

    /// <summary>The texts of the next events, or what kind they are; fewer if the channel ends.</summary>
    private protected static async Task<IReadOnlyList<string>> ReadAsync(LiveChannel channel, int count)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        limit.CancelAfter(Deadline);
        var texts = new List<string>();
        await foreach (var e in channel.WithCancellation(limit.Token))
        {
            texts.Add(e is LiveChat chat ? chat.Message.Text : e.GetType().Name);
            if (texts.Count == count)
            {
                break;
            }
        }

        return texts;
    }

    private protected static async Task UntilAsync(Func<bool> condition)
    {
        for (var startedAt = TimeProvider.System.GetTimestamp(); !condition();)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(startedAt) < Deadline, "It didn't come to that.");
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, Cancellation);
        }
    }
}

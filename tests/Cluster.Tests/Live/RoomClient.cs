using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;

namespace Cluster.Tests.Live;

/// <summary>
/// One of a room who stays there whatever dies: when its connection ends it connects to the next frontend and resumes after the
/// last message it has. It drops nothing and asks for nothing itself: a message twice, or a number that is left out, is written
/// down as what it is, a broken promise.
/// </summary>
internal sealed class RoomClient(ClusterUser user, IReadOnlyList<Uri> frontends, int first, string room) : IAsyncDisposable
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(20);
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly List<string> _heard = [];
    private readonly List<string> _broken = [];
    private readonly string _address = ClusterFixture.NewAddress();
    private HubConnection? _connection;
    private (string? Epoch, long Number) _last;
    private int _next = first;

    /// <summary>Times it came back.</summary>
    public int Returns { get; private set; }

    /// <summary>The ids of the messages, in the order of their coming.</summary>
    public IReadOnlyList<string> Heard
    {
        get
        {
            lock (_lock)
            {
                return [.. _heard];
            }
        }
    }

    public IReadOnlyList<string> Broken
    {
        get
        {
            lock (_lock)
            {
                return [.. _broken];
            }
        }
    }

    /// <summary>Enters the room, and stays until this is disposed.</summary>
    public async Task EnterAsync()
    {
        for (var startedAt = TimeProvider.System.GetTimestamp(); !_stop.IsCancellationRequested;)
        {
            var connection = NewConnection(frontends[_next++ % frontends.Count]);
            try
            {
                await connection.StartAsync(_stop.Token).WaitAsync(AnswerWithin, TimeProvider.System);
                await ResumeAsync(connection);
                connection.Closed += _ => ReturnAsync();
                _connection = connection;
                if (connection.State == HubConnectionState.Connected)
                {
                    return;
                }
            }
            catch (Exception error) when (IsTrouble(error))
            {
                Assert.True(TimeProvider.System.GetElapsedTime(startedAt) < TimeSpan.FromMinutes(2), $"no way back into the room: {error}");
            }

            await connection.DisposeAsync();
            await Task.Delay(RetryAfter, TimeProvider.System);
        }
    }

    /// <summary>Says something, again and again under the same id until it is acknowledged.</summary>
    public async Task SayAsync(string id)
    {
        for (var startedAt = TimeProvider.System.GetTimestamp(); ; await Task.Delay(RetryAfter, TimeProvider.System))
        {
            try
            {
                if (_connection is { State: HubConnectionState.Connected } connection)
                {
                    await connection.InvokeAsync<JsonObject>("SendChat", id, id).WaitAsync(AnswerWithin, TimeProvider.System);
                    return;
                }
            }
            catch (Exception error) when (IsTrouble(error))
            {
                // not acknowledged: said again
            }

            Assert.True(TimeProvider.System.GetElapsedTime(startedAt) < TimeSpan.FromMinutes(2), $"{id} could not be said");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        if (_connection is not null)
        {
            await _connection.DisposeAsync();
        }

        _stop.Dispose();
    }

    private static bool IsTrouble(Exception error) => error is HttpRequestException or IOException or HubException
        or OperationCanceledException or TimeoutException or InvalidOperationException or AggregateException
        or System.Net.WebSockets.WebSocketException;

    private HubConnection NewConnection(Uri frontend)
    {
        var connection = new HubConnectionBuilder()
            .WithUrl(new Uri(frontend, "/hubs/live"), HttpTransportType.WebSockets, options =>
            {
                options.AccessTokenProvider = () => Task.FromResult<string?>(user.AccessToken);
                options.Headers["X-Forwarded-For"] = _address;
            })
            .Build();
        connection.On<JsonObject, JsonObject>("Chat", (stamp, chat) =>
            Hear((string)stamp["epoch"]!, (long)stamp["number"]!, (string)chat["clientMessageId"]!));
        connection.On<JsonObject>("Reload", stamp => Break($"told to reload at {stamp}"));
        return connection;
    }

    private async Task ResumeAsync(HubConnection connection)
    {
        var point = new { channel = $"room/{room}", epoch = _last.Epoch, number = _last.Number };
        var joined = await connection.InvokeAsync<JsonArray>("Resume", new[] { point }).WaitAsync(AnswerWithin, TimeProvider.System);
        if ((bool)joined[0]!["isReload"]!)
        {
            Break($"told to reload after {_last}");
        }

        if (_last.Epoch is null)
        {
            var stamp = joined[0]!["stamp"]!;
            lock (_lock)
            {
                _last = _last.Epoch is null ? ((string)stamp["epoch"]!, (long)stamp["number"]!) : _last;
            }
        }
    }

    private void Hear(string epoch, long number, string id)
    {
        lock (_lock)
        {
            if (_last.Epoch is not (null or "0") && (epoch != _last.Epoch || number != _last.Number + 1))
            {
                _broken.Add($"{epoch}/{number} ({id}) after {_last}");
            }

            _last = (epoch, number);
            _heard.Add(id);
        }
    }

    private void Break(string what)
    {
        lock (_lock)
        {
            _broken.Add(what);
        }
    }

    private Task ReturnAsync()
    {
        if (!_stop.IsCancellationRequested)
        {
            Returns++;
            _ = EnterAsync();
        }

        return Task.CompletedTask;
    }
}

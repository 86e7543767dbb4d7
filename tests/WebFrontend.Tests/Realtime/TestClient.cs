using Microsoft.AspNetCore.SignalR.Client;

namespace WebFrontend.Tests.Realtime;

/// <summary>A client that writes down what it is told, and doubles numbers.</summary>
public sealed class TestClient : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);
    private readonly Lock _lock = new();
    private readonly List<string> _heard = [];
    private readonly CancellationTokenSource _gone = new();

    public TestClient(HubConnection connection)
    {
        Connection = connection;
        connection.On<string?>("Say", text => Hear(text ?? "(null)"));
        connection.On<Note?>("Note", note => Hear(note is null ? "(null)" : $"{note.Number} {note.Text} {note.At:O} {string.Join(' ', note.Values)}"));
        connection.On("Pause", () => Hear("pause"));
        connection.On("Nothing", () => (string?)null);
        connection.On("Word", () => "word");
        connection.On("Never", async () =>
        {
            Hear("never");
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, _gone.Token);
            return 0;
        });
        connection.On("Twice", (int number) => number < 0 ? throw new InvalidOperationException("too small") : 2 * number);
    }

    public HubConnection Connection { get; }

    public string Id => Connection.ConnectionId!;

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

    public async ValueTask DisposeAsync()
    {
        await _gone.CancelAsync(); // a client waits for its handlers
        await Connection.DisposeAsync();
    }

    /// <summary>Waits until it was told as many things as are expected, and checks that they are these.</summary>
    public async Task HearsAsync(params string[] expected)
    {
        for (var startedAt = TimeProvider.System.GetTimestamp();
             Heard.Count < expected.Length && TimeProvider.System.GetElapsedTime(startedAt) < Deadline;)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        }

        Assert.Equal(expected, Heard);
    }

    private void Hear(string what)
    {
        lock (_lock)
        {
            _heard.Add(what);
        }
    }
}

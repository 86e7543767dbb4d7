using System.Diagnostics.Metrics;
using Marketplace.WebFrontend.Realtime;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;
using Microsoft.Extensions.DependencyInjection;

namespace WebFrontend.Tests.Realtime;

/// <summary>Three frontends, of which one gives who is cut two seconds to read why, and the others all the time that one may need.</summary>
public sealed class ImpatientServers : OrleansServers
{
    public const int Impatient = 1;
    public static readonly TimeSpan GoodbyeWithin = TimeSpan.FromSeconds(2);

    protected override void Configure(WebApplicationBuilder frontend)
    {
        var goodbye = Count == Impatient ? GoodbyeWithin : TimeSpan.FromSeconds(60);
        frontend.Services.Configure<BackplaneSettings>(backplane => backplane.GoodbyeWithin = goodbye);
    }
}

/// <summary>Readers on real sockets that stop reading.</summary>
public sealed class SlowReaderTests(ImpatientServers servers, ITestOutputHelper output) : IClassFixture<ImpatientServers>, IDisposable
{
    private const int MessagesMax = 1_000;
    private static readonly TimeSpan HeardWithin = TimeSpan.FromSeconds(10);
    private static readonly string Padding = new('x', 10_000);
    private readonly RealtimeMeters _meters = new(servers.ServicesOf(0).GetRequiredService<IMeterFactory>());

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _meters.Dispose();

    [Fact]
    public async Task A_reader_that_stops_delays_nobody_and_finds_out_why_it_was_cut()
    {
        await using var stopped = await StoppingReader.ConnectAsync(servers.AddressOf(0), Cancellation);
        await using var neighbour = await servers.ConnectAsync(0);
        await using var other = await servers.ConnectAsync(2);
        var slowest = TimeSpan.Zero;
        var sent = 0;
        while (_meters.Sum("cut bytes") == 0)
        {
            Assert.True(sent < MessagesMax, "10 MB were sent and nobody was cut");
            slowest = Max(slowest, await SayAsync(sent++, neighbour, other));
        }

        for (var i = 0; i < 20; i++)
        {
            slowest = Max(slowest, await SayAsync(sent++, neighbour, other));
        }

        var read = await stopped.ReadToEndAsync(Cancellation);

        var heard = read.OfType<InvocationMessage>().Select(message => ((string)message.Arguments[0]!).Split(' ')[0]).ToList();
        output.WriteLine($"{sent} sent, {heard.Count} read by the one that stopped, {slowest.TotalMilliseconds:F0} ms at most for the others; "
            + $"{_meters.Highest("queued")} messages and {_meters.Highest("queued_bytes")} bytes waited");
        Assert.Equal(Enumerable.Range(0, heard.Count).Select(i => $"{i}"), heard);
        Assert.Equal(
            "This client reads too slowly: more than 1048576 bytes waited for it.",
            read.OfType<CloseMessage>().Select(close => close.Error).FirstOrDefault());
        Assert.InRange(_meters.Highest("queued_bytes"), 1, 1_048_576);
    }

    [Fact]
    public async Task A_reader_that_never_reads_again_loses_its_socket()
    {
        using var sockets = new OpenSockets(servers.ServicesOf(ImpatientServers.Impatient).GetRequiredService<IMeterFactory>());
        await using var neighbour = await servers.ConnectAsync(ImpatientServers.Impatient);
        await using var stopped = await StoppingReader.ConnectAsync(servers.AddressOf(ImpatientServers.Impatient), Cancellation);
        using var meters = new RealtimeMeters(servers.ServicesOf(ImpatientServers.Impatient).GetRequiredService<IMeterFactory>());
        var before = sockets.Closed;
        for (var sent = 0; meters.Sum("cut bytes") == 0; sent++)
        {
            Assert.True(sent < MessagesMax, "10 MB were sent and nobody was cut");
            await SayAsync(sent, neighbour);
        }

        var cutAt = TimeProvider.System.GetTimestamp();
        while (sockets.Closed == before)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(cutAt) < ImpatientServers.GoodbyeWithin + TimeSpan.FromSeconds(8), "its socket is open yet");
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        }

        output.WriteLine($"its socket was closed after {TimeProvider.System.GetElapsedTime(cutAt).TotalSeconds:F1} s");
    }

    private async Task<TimeSpan> SayAsync(int number, params TestClient[] listeners)
    {
        var startedAt = TimeProvider.System.GetTimestamp();
        await servers.Hub(1).Clients.All.SendAsync("Say", $"{number} {Padding}", Cancellation).WaitAsync(HeardWithin, TimeProvider.System, Cancellation);
        foreach (var listener in listeners)
        {
            while (listener.Heard.Count <= number)
            {
                Assert.True(TimeProvider.System.GetElapsedTime(startedAt) < HeardWithin, $"message {number} is late");
                await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System);
            }

            Assert.StartsWith($"{number} ", listener.Heard[number], StringComparison.Ordinal);
        }

        return TimeProvider.System.GetElapsedTime(startedAt);
    }

    private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;

    /// <summary>Counts the sockets that one frontend has closed.</summary>
    private sealed class OpenSockets : IDisposable
    {
        private readonly MeterListener _listener = new();
        private int _closed;

        public OpenSockets(IMeterFactory meters)
        {
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "kestrel.active_connections" && instrument.Meter.Scope == meters)
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            };
            _listener.SetMeasurementEventCallback<long>((_, value, _, _) =>
            {
                if (value < 0)
                {
                    Interlocked.Increment(ref _closed);
                }
            });
            _listener.Start();
        }

        public int Closed => Volatile.Read(ref _closed);

        public void Dispose() => _listener.Dispose();
    }
}

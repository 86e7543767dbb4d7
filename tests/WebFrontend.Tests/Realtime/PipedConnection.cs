using System.IO.Pipelines;
using Marketplace.WebFrontend.Realtime;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace WebFrontend.Tests.Realtime;

/// <summary>A connection whose transport is a pipe that waits for its reader beyond 1,000 bytes; the test reads it.</summary>
internal sealed class PipedConnection : IDisposable
{
    private static readonly JsonHubProtocol Protocol = new();
    private static readonly PipeOptions Transport = new(
        readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline,
        pauseWriterThreshold: 1_000, resumeWriterThreshold: 500, useSynchronizationContext: false);

    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly Pipe _toClient = new(Transport);
    private readonly Pipe _fromClient = new(Transport);
    private readonly ClosableConnection _connection;

    public PipedConnection(BackplaneSettings? settings = null, string id = "c-1")
    {
        var meters = _services.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>();
        Meters = new(meters);
        _connection = new ClosableConnection(id, new DuplexPipe(_fromClient.Reader, _toClient.Writer));
        var context = new HubConnectionContext(_connection, new HubConnectionContextOptions(), NullLoggerFactory.Instance)
        {
            Protocol = Protocol,
        };
        Local = new LocalConnection(context, new SlowReaders(
            Options.Create(settings ?? new()), new BackplaneMetrics(meters), Clock, NullLogger<SlowReaders>.Instance));
    }

    public LocalConnection Local { get; }

    public RealtimeMeters Meters { get; }

    public FakeTimeProvider Clock { get; } = new();

    /// <summary>Whether SignalR was asked to close it, so that its client may connect anew.</summary>
    public bool IsCloseRequested => _connection.ConnectionClosedRequested.IsCancellationRequested;

    /// <summary>Whether its socket was cut.</summary>
    public bool IsCut => _connection.IsAborted;

    /// <summary>A message of exactly that many bytes.</summary>
    public static SerializedHubMessage Message(int number, int bytes)
    {
        var length = Bytes(number, "").Length;
        var message = Bytes(number, new string('x', bytes - length));
        Assert.Equal(bytes, message.Length);
        return new SerializedHubMessage([new SerializedMessage(Protocol.Name, message)]);
    }

    /// <summary>Takes what is in the transport's buffer, as the socket would, until nothing more comes.</summary>
    public async Task<IReadOnlyList<HubMessage>> ReadAllAsync()
    {
        var read = new List<HubMessage>();
        while (_toClient.Reader.TryRead(out var result) && !result.Buffer.IsEmpty)
        {
            var buffer = result.Buffer;
            while (Protocol.TryParseMessage(ref buffer, new Binder(), out var message))
            {
                read.Add(message);
            }

            _toClient.Reader.AdvanceTo(buffer.Start, buffer.End);
            await Task.Yield();
        }

        return read;
    }

    public static IEnumerable<int> NumbersIn(IEnumerable<HubMessage> messages) =>
        messages.OfType<InvocationMessage>().Select(message => (int)message.Arguments[0]!);

    public void Dispose()
    {
        Meters.Dispose();
        _services.Dispose();
    }

    private static ReadOnlyMemory<byte> Bytes(int number, string padding) =>
        Protocol.GetMessageBytes(new InvocationMessage("Say", [number, padding]));

    private sealed record DuplexPipe(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    private sealed class ClosableConnection : DefaultConnectionContext, IConnectionLifetimeNotificationFeature
    {
        private readonly CancellationTokenSource _requested = new();

        public ClosableConnection(string id, IDuplexPipe transport) : base(id, transport, transport)
        {
            ConnectionClosedRequested = _requested.Token;
            Features.Set<IConnectionLifetimeNotificationFeature>(this);
        }

        public CancellationToken ConnectionClosedRequested { get; set; }

        public bool IsAborted { get; private set; }

        public void RequestClose() => _requested.Cancel();

        public override void Abort(ConnectionAbortedException abortReason) => IsAborted = true;

        public override void Abort() => IsAborted = true;
    }

    private sealed class Binder : IInvocationBinder
    {
        public Type GetReturnType(string invocationId) => throw new NotSupportedException();

        public IReadOnlyList<Type> GetParameterTypes(string methodName) => [typeof(int), typeof(string)];

        public Type GetStreamItemType(string streamId) => throw new NotSupportedException();
    }
}

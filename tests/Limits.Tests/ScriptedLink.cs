using System.Threading.Channels;
using Marketplace.Limits;
using Marketplace.WebFrontend.Limits.Leases;

namespace Limits.Tests;

/// <summary>A way to a bucket whose answers the test gives, call by call.</summary>
internal sealed class ScriptedLink : IBucketLink
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private readonly Channel<Call> _calls = Channel.CreateUnbounded<Call>();
    private readonly Channel<PermitHandBack> _handBacks = Channel.CreateUnbounded<PermitHandBack>();
    private long _number;
    private int _count;

    public Guid Holder { get; } = Guid.NewGuid();

    public int LiveFrontends { get; set; } = 1;

    public IPermitHolder? Callback => null;

    public bool IsDraining { get; set; }

    /// <summary>Exchanges asked for.</summary>
    public int Calls => Volatile.Read(ref _count);

    public long NextNumber() => ++_number;

    public async Task<Call> NextAsync() => await _calls.Reader.ReadAsync().AsTask().WaitAsync(Patience, TimeProvider.System);

    public async Task<PermitHandBack> NextHandBackAsync() =>
        await _handBacks.Reader.ReadAsync().AsTask().WaitAsync(Patience, TimeProvider.System);

    public async ValueTask<PermitGrant> ExchangeAsync(string bucket, PermitRequest request)
    {
        Interlocked.Increment(ref _count);
        var call = new Call(request);
        _calls.Writer.TryWrite(call);
        return await call.Answered;
    }

    public ValueTask<bool> HandBackAsync(string bucket, PermitHandBack handBack)
    {
        _handBacks.Writer.TryWrite(handBack);
        return new(true);
    }

    internal sealed class Call(PermitRequest request)
    {
        private readonly TaskCompletionSource<PermitGrant> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public PermitRequest Request => request;

        public Task<PermitGrant> Answered => _answer.Task;

        public void Answer(
            int granted, int remaining, double endsIn = 60, long lot = 1, int version = 0, bool isShort = false, double? resetsIn = null)
        {
            var time = TimeSpan.FromSeconds(endsIn);
            _answer.SetResult(new(
                granted, lot, time, time, resetsIn is { } resets ? TimeSpan.FromSeconds(resets) : time, isShort ? time : TimeSpan.Zero, remaining,
                200, TimeSpan.FromMinutes(15), version, request.Held + granted));
        }

        public void Refuse(double retryIn = 60) => Answer(granted: 0, remaining: 0, retryIn, isShort: true);

        public void Fail(Exception error) => _answer.SetException(error);
    }
}

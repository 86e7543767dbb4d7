using System.Threading.Channels;
using Marketplace.Limits;

namespace WebFrontend.Tests.Limits;

/// <summary>A bucket whose answers the test gives, call by call.</summary>
internal sealed class ScriptedBucket : IBucketGrain
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private readonly Channel<Call> _calls = Channel.CreateUnbounded<Call>();
    private int _count;

    public int Calls => Volatile.Read(ref _count);

    public async Task<Call> NextAsync() => await _calls.Reader.ReadAsync().AsTask().WaitAsync(Patience, TimeProvider.System);

    public async ValueTask<PermitGrant> Exchange(PermitRequest request)
    {
        Interlocked.Increment(ref _count);
        var call = new Call(request);
        _calls.Writer.TryWrite(call);
        return await call.Answered;
    }

    internal sealed class Call(PermitRequest request)
    {
        private readonly TaskCompletionSource<PermitGrant> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public PermitRequest Request => request;

        public Task<PermitGrant> Answered => _answer.Task;

        public void Answer(int granted, int remaining, double resetsIn = 60, long window = 1) => _answer.SetResult(
            new(granted, window, TimeSpan.FromSeconds(resetsIn), remaining, 200, TimeSpan.FromMinutes(15), PolicyVersion: 1));

        public void Fail(Exception error) => _answer.SetException(error);
    }
}

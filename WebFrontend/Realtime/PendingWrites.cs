using Microsoft.AspNetCore.SignalR;

namespace Marketplace.WebFrontend.Realtime;

/// <summary>
/// What waits while a write to one connection is under way: exists only then, and under that connection's lock.
/// </summary>
internal sealed class PendingWrites
{
    private readonly Queue<(SerializedHubMessage Message, int Bytes)> _queue = new();
    private readonly TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when nothing waits any more, or never will be written.</summary>
    public Task Over => _over.Task;

    public int Count => _queue.Count;

    public long Bytes { get; private set; }

    /// <summary>Why the connection is being closed, once it is: from then on nothing is added.</summary>
    public string? CutReason { get; set; }

    public void Add(SerializedHubMessage message, int bytes)
    {
        _queue.Enqueue((message, bytes));
        Bytes += bytes;
    }

    /// <summary>Takes the oldest message and its length in bytes.</summary>
    public bool TryTake(out (SerializedHubMessage Message, int Bytes) next)
    {
        if (!_queue.TryDequeue(out next))
        {
            return false;
        }

        Bytes -= next.Bytes;
        return true;
    }

    public void End() => _over.TrySetResult();

    public void Clear()
    {
        _queue.Clear();
        Bytes = 0;
    }
}

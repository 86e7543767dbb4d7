using System.Collections.Concurrent;
using Microsoft.AspNetCore.SignalR.Protocol;

namespace Marketplace.WebFrontend.Realtime;

/// <summary>Invocations of this frontend's own connections that a client has yet to answer.</summary>
internal sealed class PendingResults
{
    private readonly ConcurrentDictionary<string, Pending> _pending = new(StringComparer.Ordinal);

    /// <summary>Awaits the answer of a connection to an invocation, read as <paramref name="resultType"/>.</summary>
    public Task<CompletionMessage> Add(string connectionId, string invocationId, Type resultType)
    {
        var pending = new Pending(connectionId, resultType, new(TaskCreationOptions.RunContinuationsAsynchronously));
        _pending[invocationId] = pending;
        return pending.Completion.Task;
    }

    public void Remove(string invocationId) => _pending.TryRemove(invocationId, out _);

    /// <summary>Takes an answer in; only the connection that was asked may give it.</summary>
    public void Complete(string connectionId, CompletionMessage completion)
    {
        if (completion.InvocationId is { } id
            && _pending.TryGetValue(id, out var pending)
            && string.Equals(pending.ConnectionId, connectionId, StringComparison.Ordinal)
            && _pending.TryRemove(id, out _))
        {
            pending.Completion.TrySetResult(completion);
        }
    }

    public Type? ResultTypeOf(string invocationId) => _pending.GetValueOrDefault(invocationId)?.ResultType;

    private sealed record Pending(
        string ConnectionId, Type ResultType, TaskCompletionSource<CompletionMessage> Completion);
}

using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Marketplace.Realtime;
using Marketplace.Trouble;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;

namespace Marketplace.WebFrontend.Realtime;

// Groups and client results: what is done to one connection, here or on another frontend.
internal sealed partial class OrleansHubLifetimeManager<THub>
{
    /// <summary>The connections of this process.</summary>
    internal ConcurrentDictionary<string, LocalConnection> Local => _connections;

    /// <summary>Writes to a connection of this process.</summary>
    internal void SendLocal(LocalConnection connection, string methodName, params object?[] args) =>
        connection.Write(HubPayloads<THub>.ToHubMessage(_payloads.Serialize(new InvocationMessage(methodName, args))));

    /// <summary>Returns once the connection, on whichever frontend, gets whatever is sent to the group from now on.</summary>
    public override Task AddToGroupAsync(string connectionId, string groupName, CancellationToken cancellationToken = default) =>
        ChangeGroupAsync(connectionId, groupName, joins: true, cancellationToken);

    /// <inheritdoc cref="AddToGroupAsync"/>
    public override Task RemoveFromGroupAsync(
        string connectionId, string groupName, CancellationToken cancellationToken = default) =>
        ChangeGroupAsync(connectionId, groupName, joins: false, cancellationToken);

    /// <summary>A cancelled call is a <see cref="HubException"/> too, with the text that the built-in manager gives it.</summary>
    public override async Task<T> InvokeConnectionAsync<T>(
        string connectionId, string methodName, object?[] args, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(connectionId);
        try
        {
            return await AskConnectionAsync<T>(connectionId, methodName, args, cancellationToken);
        }
        catch (OperationCanceledException error) when (cancellationToken.IsCancellationRequested)
        {
            throw new HubException("Invocation canceled by the server.", error);
        }
    }

    private async Task<T> AskConnectionAsync<T>(
        string connectionId, string methodName, object?[] args, CancellationToken cancellationToken)
    {
        if (_connections.TryGetValue(connectionId, out var local))
        {
            var localId = $"s{Guid.NewGuid():N}";
            var message = HubPayloads<THub>.ToHubMessage(_payloads.Serialize(new InvocationMessage(localId, methodName, args)));
            return Result<T>(await AskLocalAsync(
                local, localId, typeof(T), () => _ = _inbox.WriteAsync(local, message), cancellationToken));
        }

        var reply = await _requests.AskAsync(
            (id, replyTo) =>
                new HubAsk(connectionId, id, _payloads.Serialize(new InvocationMessage(id, methodName, args)), replyTo),
            this,
            cancellationToken);
        return reply switch
        {
            null => throw new IOException($"Connection '{connectionId}' does not exist."),
            { Completion: { } completion } => Result<T>(_payloads.ReadCompletion(completion, typeof(T))),
            _ => throw new IOException(reply.Error),
        };
    }

    public override Task SetConnectionResultAsync(string connectionId, CompletionMessage result)
    {
        ArgumentNullException.ThrowIfNull(result);
        _results.Complete(connectionId, result);
        return Task.CompletedTask;
    }

    public override bool TryGetReturnType(string invocationId, [NotNullWhen(true)] out Type? type)
    {
        type = _results.ResultTypeOf(invocationId);
        return type is not null;
    }

    private async Task ChangeGroupAsync(string connectionId, string group, bool joins, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(connectionId);
        ArgumentNullException.ThrowIfNull(group);
        if (_connections.TryGetValue(connectionId, out var local))
        {
            await ChangeLocalGroupAsync(local, group, joins).WaitAsync(cancellationToken);
            return;
        }

        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(BackplaneLimits.Patience);
        try
        {
            // A connection that nobody has is no error, as with one server.
            var reply = await _requests.AskAsync(
                (id, replyTo) => new GroupChange(connectionId, id, group, joins, replyTo), this, patience.Token);
            if (reply?.Error is { } error)
            {
                throw new UnavailableException(error);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new UnavailableException($"The frontend of connection '{connectionId}' doesn't answer.");
        }
    }

    private async Task ChangeLocalGroupAsync(LocalConnection connection, string group, bool joins)
    {
        var channel = _names.Group(group);
        if (joins)
        {
            try
            {
                await ListenAsync(channel, connection);
                return;
            }
            catch
            {
                Leave();
                throw;
            }
        }

        Leave();

        void Leave()
        {
            if (_channels.Remove(channel, connection) is { } left)
            {
                _link.Leave(left);
            }
        }
    }

    private async Task<CompletionMessage> AskLocalAsync(
        LocalConnection connection, string id, Type resultType, Action write, CancellationToken cancellationToken)
    {
        var gone = connection.Context.ConnectionAborted;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, gone);
        var result = _results.Add(connection.Id, id, resultType);
        try
        {
            write();
            return await result.WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (gone.IsCancellationRequested)
        {
            throw HasGone(connection.Id);
        }
        finally
        {
            _results.Remove(id);
        }
    }

    private static IOException HasGone(string connectionId) => new($"Connection '{connectionId}' disconnected.");

    private static T Result<T>(CompletionMessage completion) => completion switch
    {
        { Error: { } error } => throw new HubException(error),
        { HasResult: true } => (T)completion.Result!,
        _ => throw new HubException("The client returned no result."),
    };
}

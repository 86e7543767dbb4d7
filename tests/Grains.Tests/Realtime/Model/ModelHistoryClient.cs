using Marketplace.Realtime.History;
using Marketplace.Trouble;
using Marketplace.WebFrontend.Realtime.History;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;

namespace Grains.Tests.Realtime.Model;

/// <summary>
/// A client that follows the channel: it comes back to any frontend with the last stamp it has, and says so when a message isn't
/// the one after that.
/// </summary>
internal sealed class ModelHistoryClient(HistoryWorld world, int number)
{
    private HistoryPosition? _last;
    private HistoryPosition? _jumped; // the first message that isn't the next one: the answer to Resume must explain it
    private ModelConnection? _connection;
    private bool _isJoining;
    private bool _isReloaded; // unasked, while the answer to Resume was awaited: it goes on from there

    public int Number => number;

    /// <summary>Connected, and told that it follows.</summary>
    public bool Follows => _connection is { IsDead: false } && !_isJoining;

    /// <summary>The last message that it has, or was told to reload up to.</summary>
    public HistoryPosition? Last => _last;

    /// <summary>Connects to some frontend if it isn't connected.</summary>
    public void Connect()
    {
        var living = world.Living;
        if (_connection is null or { IsDead: true } && living.Count > 0)
        {
            _connection = new(this, living[world.Random(living.Count)]);
            world.Trace($"client {number} connects to {_connection.Frontend.Epoch} with {_last}");
            _ = FollowAsync(_connection);
        }
    }

    /// <summary>Loses its connection; what is being written to it is lost too.</summary>
    public void Disconnect()
    {
        if (_connection is { IsDead: false } connection)
        {
            world.Trace($"client {number} disconnects with {_last}");
            connection.Abort();
            world.At(connection.Frontend.Node, TimeSpan.FromMilliseconds(world.Random(50)), () => connection.Frontend.Leave(connection));
        }
    }

    public void Hear(HistoryPosition position, string id)
    {
        world.Trace($"      client {number} hears {position} {id}");
        if (id == ModelHistoryFrontend.Reload)
        {
            world.Judge.SeeReload(this, position);
            _isReloaded = true;
        }
        else
        {
            world.Judge.SeeHeard(this, position, id);
            if (_last is { } last && !IsNext(last, position))
            {
                if (!_isJoining || _jumped is not null)
                {
                    world.Say($"client {number} had {last} and was handed {position}");
                }

                _jumped = position;
            }
        }

        _last = position;
    }

    private static bool IsNext(HistoryPosition last, HistoryPosition position) =>
        position.Number == last.Number + 1 && (position.Epoch == last.Epoch || last == default);

    private async Task FollowAsync(ModelConnection connection)
    {
        var after = _last;
        (_isJoining, _isReloaded, _jumped) = (true, false, null);
        HistoryPosition? first = null;
        connection.OnFirst = position => first = position;
        try
        {
            var (at, isComplete) = await connection.Frontend.FollowAsync(connection, after);
            if (connection != _connection || connection.IsDead)
            {
                return;
            }

            world.Trace($"client {number} follows from {at}{(isComplete ? "" : ", reloads")}");
            _isJoining = false;
            if (!isComplete)
            {
                world.Judge.SeeReload(this, at);
            }

            if (_isReloaded)
            {
                return;
            }

            // Messages may have come before the answer; they must have begun where the answer says.
            var begins = after is null ? first : _jumped;
            if (begins is { } begun && ((after is not null && isComplete) || !IsNext(at, begun)))
            {
                world.Say($"client {number} was handed {begun} and then told that it follows from {at}");
            }

            if (begins is null && (after is null || !isComplete))
            {
                _last = at;
            }
            else if (begins is null && at != default && _last != at && !(_last!.Value.Epoch == at.Epoch && _last.Value.Number > at.Number))
            {
                world.Say($"client {number} had {after}, was handed up to {_last} and told that it had everything up to {at}");
            }
        }
        catch (UnavailableException)
        {
            if (connection == _connection)
            {
                connection.Abort(); // it connects again
            }
        }
    }
}

/// <summary>One connection of a client.</summary>
internal sealed class ModelConnection(ModelHistoryClient client, ModelHistoryFrontend frontend) : IHistoryConnection
{
    private bool _isAborted;

    public ModelHistoryFrontend Frontend => frontend;

    public bool IsDead => _isAborted || frontend.Node.IsDead;

    public Dictionary<string, HistoryFollower>? Following { get; set; }

    /// <summary>Told of the first message.</summary>
    public Action<HistoryPosition>? OnFirst { get; set; }

    public void Write(SerializedHubMessage message)
    {
        if (!IsDead)
        {
            var invocation = (InvocationMessage)message.Message!;
            var position = (HistoryPosition)invocation.Arguments[0]!;
            OnFirst?.Invoke(position);
            OnFirst = null;
            client.Hear(position, invocation.Target);
        }
    }

    public Task WhenWrittenAsync() => Task.CompletedTask;

    public void Abort() => _isAborted = true;
}

using Marketplace.Realtime;
using Marketplace.Realtime.History;
using Marketplace.Trouble;
using Marketplace.WebFrontend.Realtime.History;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;

namespace Grains.Tests.Realtime.Model;

/// <summary>
/// A frontend process: what FrontendLink, FrontendObserver, ChannelTable and HubHistory do around LocalHistory and HistoryJoin, step
/// by step, for the one channel.
/// </summary>
internal sealed class ModelHistoryFrontend
{
    public const string Reload = "Reload";

    private static readonly TimeSpan ListenWithin = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(12);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(200);

    private readonly HistoryWorld _world;
    private readonly ModelClock _clock;
    private readonly Queue<Action> _inbox = [];
    private readonly Queue<List<HistoryItem>> _outbox = [];
    private Local? _channel;
    private long? _knownSilos;
    private long _change;
    private bool _isReading;
    private bool _isPublishing;

    public ModelHistoryFrontend(HistoryWorld world)
    {
        _world = world;
        _clock = new(world, Node);
        Epoch = world.Frontends.Count + 1;
        world.Frontends.Add(this);
        _ = AnnounceAsync();
    }

    public ModelNode Node { get; } = new();

    public long Epoch { get; }

    /// <summary>Until some time after its death.</summary>
    public bool HasLease { get; private set; } = true;

    public bool IsPublishing => _isPublishing || _outbox.Count > 0;

    public FrontendAddress AddressFor(ModelNode silo) => new(Epoch, new ModelObserver(_world, silo, this));

    public void Kill()
    {
        _world.Trace($"frontend {Epoch} is killed");
        Node.IsDead = true;
        _world.At(TimeSpan.FromMilliseconds(1_000 + _world.Random(11_000)), () => HasLease = false);
    }

    /// <summary>What the observer does with a delivery.</summary>
    public DeliveryAnswer Deliver(ChannelDelivery delivery)
    {
        if (_channel is not { } channel || delivery.FrontendEpoch != Epoch)
        {
            return new(DeliveryVerdict.NotListening, []);
        }

        var answer = channel.History.Take(
            delivery,
            before => TryQueue(() => Receive(channel, before, new(new InvocationMessage(Reload, [before])))),
            (position, message) => TryQueue(() => Receive(channel, position, ToHubMessage(position, (HistoryMessage)message.Message))));
        _world.Trace($"    frontend {Epoch} is sent ({delivery.ChannelEpoch}, {delivery.Messages[0].Number}..{delivery.Messages[^1].Number}): {answer.Verdict}, has {channel.History.Known}");
        return answer;
    }

    /// <summary>Lets a connection follow; answers where it stands and whether it must reload.</summary>
    public async Task<(HistoryPosition At, bool IsComplete)> FollowAsync(ModelConnection connection, HistoryPosition? after)
    {
        try
        {
            var channel = await ListenAsync(connection);
            var join = new HistoryJoin(
                HistoryWorld.Channel, channel.History, connection, Post, (position, _) => ReadAsync(position), ToHubMessage);
            return await join.FollowAsync(after, CancellationToken.None);
        }
        catch (UnavailableException)
        {
            Leave(connection);
            await HistoryJoin.LeaveAsync(HistoryWorld.Channel, connection, Post);
            throw;
        }
    }

    /// <summary>The connection follows no more, or has gone.</summary>
    public void Leave(ModelConnection connection)
    {
        if (_channel is { } channel && channel.Connections.Remove(connection) && channel.Connections.Count == 0)
        {
            _channel = null;
            var change = ++_change;
            _ = ToGrainAsync<bool>(activation =>
            {
                activation.Channel.Leave(Epoch, change);
                return new(true);
            });
        }
    }

    /// <summary>Publishes what a client said, until it is stored or the patience ends.</summary>
    public void Publish(List<HistoryItem> items)
    {
        _outbox.Enqueue(items);
        if (!_isPublishing)
        {
            _ = PublishAsync();
        }
    }

    private async Task PublishAsync()
    {
        _isPublishing = true;
        while (_outbox.TryDequeue(out var items))
        {
            try
            {
                IReadOnlyList<HistoryPosition> positions = [];
                await TryUntilDoneAsync(async () => positions = await ToGrainAsync<IReadOnlyList<HistoryPosition>>(activation => activation.Channel.Append(items)));
                for (var i = 0; i < items.Count; i++)
                {
                    _world.Judge.SeeAcknowledged(items[i].Id, positions[i]);
                }
            }
            catch (UnavailableException)
            {
                // Not known to be stored; somebody may say it again.
            }
        }

        _isPublishing = false;
    }

    private async Task AnnounceAsync()
    {
        while (true)
        {
            try
            {
                var silos = await _world.Silos.AnnounceAsync(this);
                if (silos != _knownSilos)
                {
                    _knownSilos = silos;
                    _ = ListenAnewAsync();
                }
            }
            catch (TimeoutException)
            {
                // at the next second
            }

            await Task.Delay(TimeSpan.FromSeconds(1), _clock);
        }
    }

    private async Task ListenAnewAsync()
    {
        try
        {
            if (_channel is { } channel)
            {
                await ListenAsync(channel);
            }
        }
        catch (UnavailableException)
        {
            _world.Trace($"frontend {Epoch} could not listen anew");
        }
    }

    private async Task<Local> ListenAsync(ModelConnection connection)
    {
        while (true)
        {
            var isOwn = false;
            var channel = _channel ??= new(++_change, new());
            channel.Connections.Add(connection);
            if (channel.Listening is null or { IsFaulted: true })
            {
                isOwn = true;
                channel.Listening = ListenAsync(channel);
            }

            try
            {
                await channel.Listening;
                return _channel == channel ? channel : throw new UnavailableException("It has gone.");
            }
            catch (UnavailableException) when (!isOwn && _channel == channel)
            {
                // begun for an earlier listener
            }
        }
    }

    private Task ListenAsync(Local channel) => TryUntilDoneAsync(async () =>
        await ListenOnceAsync(channel).WaitAsync(ListenWithin, _clock));

    private async Task ListenOnceAsync(Local channel)
    {
        var known = channel.History.Known;
        var position = await ToGrainAsync(
            activation => activation.Channel.Listen(AddressFor(activation.Silo), channel.Change, known));
        _world.Trace($"    frontend {Epoch} listens from {position}, having {known}");
        channel.History.Begin(position);
    }

    private async Task<HistoryPage> ReadAsync(HistoryPosition after)
    {
        HistoryPage? page = null;
        await TryUntilDoneAsync(async () => page = await ToGrainAsync(activation => activation.Channel.Read(after)));
        return page!;
    }

    private Task<T> ToGrainAsync<T>(Func<ModelHistoryActivation, ValueTask<T>> call) => _world.Silos.CallAsync(Node, call);

    private async Task TryUntilDoneAsync(Func<Task> attempt)
    {
        for (var startedAt = _clock.GetTimestamp(); ; await Task.Delay(RetryAfter, _clock))
        {
            try
            {
                await attempt();
                return;
            }
            catch (Exception error) when (error is TimeoutException or UnavailableException)
            {
                if (_clock.GetElapsedTime(startedAt) >= Patience)
                {
                    throw new UnavailableException("Not done.", error);
                }
            }
        }
    }

    private bool TryQueue(Action action)
    {
        if (_world.Trouble(2))
        {
            return false; // full
        }

        Post(action);
        return true;
    }

    private void Post(Action action)
    {
        _inbox.Enqueue(action);
        if (!_isReading)
        {
            _isReading = true;
            ReadSoon();
        }
    }

    private void ReadSoon() => _world.At(Node, TimeSpan.FromMilliseconds(_world.Trouble(10) ? _world.Random(300) : _world.Random(2)), () =>
    {
        for (var count = 1 + _world.Random(4); count > 0 && _inbox.TryDequeue(out var action); count--)
        {
            action();
        }

        _isReading = _inbox.Count > 0;
        if (_isReading)
        {
            ReadSoon();
        }
    });

    private static void Receive(Local channel, HistoryPosition position, SerializedHubMessage message)
    {
        channel.History.Written = position;
        foreach (var connection in channel.Connections)
        {
            connection.Following?.GetValueOrDefault(HistoryWorld.Channel)?.Write(position, message);
        }
    }

    /// <summary>The method is the message's id, by which the model knows it.</summary>
    private static SerializedHubMessage ToHubMessage(HistoryPosition position, HistoryMessage message) =>
        new(new InvocationMessage(message.Method, [position]));

    private sealed record Local(long Change, LocalHistory History)
    {
        public HashSet<ModelConnection> Connections { get; } = [];

        public Task? Listening { get; set; }
    }
}

using Marketplace.Realtime.History;

namespace Grains.Tests.Realtime.Model;

/// <summary>Sees what senders and clients are told, and says whether a promise is broken. Knows nothing of how they are kept.</summary>
internal sealed class HistoryJudge(HistoryWorld world)
{
    private readonly Dictionary<string, HistoryPosition> _acknowledged = [];
    private readonly Dictionary<HistoryPosition, string> _names = [];

    /// <summary>The last message that its sender knows to be stored.</summary>
    public HistoryPosition Last { get; private set; }

    public int Acknowledged => _acknowledged.Count;

    public void SeeAcknowledged(string id, HistoryPosition position)
    {
        world.Trace($"  {id} is acknowledged as {position}");
        Name(position, id);
        if (_acknowledged.TryGetValue(id, out var before) && before != position && !world.Store.IsForgotten(id))
        {
            world.Say($"{id} was {before} and is {position}");
        }

        _acknowledged[id] = position;
        if ((position.Epoch, position.Number).CompareTo((Last.Epoch, Last.Number)) > 0)
        {
            Last = position;
        }
    }

    public void SeeHeard(ModelHistoryClient client, HistoryPosition position, string id) => Name(position, id);

    public void SeeReload(ModelHistoryClient client, HistoryPosition position)
    {
        // A frontend that has seen the channel empty knows no epoch yet, and can't tell a client that is ahead of it from a stranger.
        if (!world.Store.HasForgotten && !world.HadTwoActivations && position != default)
        {
            world.Say($"client {client.Number} was told to reload although everything is kept");
        }
    }

    /// <summary>One message has a position, whoever names it.</summary>
    private void Name(HistoryPosition position, string id)
    {
        if (!_names.TryAdd(position, id) && _names[position] != id)
        {
            world.Say($"{position} is {_names[position]} for one and {id} for another");
        }
        else if (world.Store.StoredAt(position) != id)
        {
            world.Say($"{id} is said to be {position}, where {world.Store.StoredAt(position) ?? "nothing"} was stored");
        }
    }
}

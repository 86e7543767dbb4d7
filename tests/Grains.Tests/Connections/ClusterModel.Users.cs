using Marketplace.Connections;

namespace Grains.Tests.Connections;

/// <content>One user, whose newest connection replaces the oldest.</content>
internal sealed partial class ClusterModel
{
    public const int PerUser = 2;

    private readonly List<ModelUser> _users = [];
    private readonly List<UserConnection> _connections = [];
    private int _names;

    /// <summary>Does one thing that has to do with the user.</summary>
    private void UserStep(int what, int which)
    {
        if (_users.Count == 0)
        {
            StartUser();
            return;
        }

        switch (what)
        {
            case < 3: StartUser(); break;
            case < 40: Open(_frontends[which % Frontends], which); break;
            case < 50: _users[which % _users.Count].Look(isOver: which % 2 == 0); break;
            case < 60: if (_connections.Count > 0) { Close(_connections[which % _connections.Count]); } break;
            default: RepeatGiveBacks(which); break;
        }
    }

    /// <summary>Connections that can send or receive, more than there may be.</summary>
    private string? FindTooManyOfUser()
    {
        var live = _connections.Count(connection => connection.IsLive && Runs(connection));
        return live > PerUser ? $"The user has {live} live connections." : null;
    }

    private string? FindUserLeakOnceQuiet()
    {
        _users.Clear();
        StartUser();
        _connections.ForEach(Close);
        for (var i = 0; i < 5; i++)
        {
            RepeatGiveBacks(0);
            DeliverAll();
        }

        for (var i = 0; i < PerUser + 1; i++)
        {
            Open(_frontends[i % Frontends], 0);
            DeliverAll();
            RepeatGiveBacks(0);
            DeliverAll();
        }

        var live = _connections.Count(connection => connection.IsLive && Runs(connection));
        return live != PerUser ? $"The user has {live} connections, and {_users[0].Slots} slots." : null;
    }

    private static bool Runs(UserConnection connection) =>
        connection.Frontend.Lease is { Runs: true } lease && lease.Epoch == connection.Epoch;

    private void StartUser()
    {
        try
        {
            _users.Add(new(_storage, PerUser, slot => _underWay.Add(() => Order(slot))));
        }
        catch (TimeoutException)
        {
        }
    }

    /// <summary>What ConnectionAdmission does for a new connection.</summary>
    private void Open(ModelFrontend frontend, int which)
    {
        if (frontend.IsPaused || _leases.Count == 0 || frontend.Lease is not { Runs: true } lease)
        {
            return;
        }

        var connection = new UserConnection(new(++_names, 0, 0, new byte[8]), frontend, lease.Epoch);
        _connections.Add(connection);
        var user = _users[which / 3 % _users.Count];
        var leases = _leases[which / 7 % _leases.Count];
        Send(leases, () => Try(() => user.Take(connection.Name, connection.Epoch, () => leases.Epochs, outcome => _underWay.Add(() =>
        {
            if (frontend.IsPaused)
            {
                return; // it never hears of it
            }

            if (outcome == SlotOutcome.Taken && !connection.IsCut && Runs(connection))
            {
                connection.IsLive = true;
            }
            else
            {
                Close(connection);
            }
        }))));
    }

    /// <summary>What ConnectionCloser does.</summary>
    private void Order(ConnectionSlot slot)
    {
        if (_connections.FirstOrDefault(known => known.Name == slot.Connection) is { Frontend.IsPaused: false } connection && Runs(connection))
        {
            Close(connection);
        }
    }

    private void Close(UserConnection connection)
    {
        if (!connection.Frontend.IsPaused)
        {
            connection.IsLive = false;
            connection.IsCut = true;
        }
    }

    /// <summary>What UserSlots does: again and again, until it is acknowledged.</summary>
    private void RepeatGiveBacks(int which)
    {
        if (_users.Count == 0)
        {
            return;
        }

        var user = _users[which % _users.Count];
        foreach (var connection in _connections.Where(c => c is { IsCut: true, Frontend.IsPaused: false } && Runs(c)))
        {
            _underWay.Add(() => Try(() => user.GiveBack(connection.Name, () => { })));
        }
    }

    private sealed record UserConnection(Guid Name, ModelFrontend Frontend, long Epoch)
    {
        public bool IsLive { get; set; }

        /// <summary>It may not become live any more, and its slot is on its way back.</summary>
        public bool IsCut { get; set; }
    }
}

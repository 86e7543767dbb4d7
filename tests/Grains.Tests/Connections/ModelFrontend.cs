using Marketplace.Connections;
using Marketplace.WebFrontend.Connections;
using Marketplace.WebFrontend.Frontends;

namespace Grains.Tests.Connections;

/// <summary>What a frontend's FrontendLease and ConnectionTotal hold.</summary>
internal sealed class ModelFrontend(Action<Action> send) : IConnectionHolder
{
    public HeldLease? Lease { get; private set; }

    public ConnectionShareHolder? Share { get; private set; }

    public long KeepCall { get; set; }

    /// <summary>Connections that wait for one of the total.</summary>
    public int Waiting { get; private set; }

    public bool IsPaused { get; set; }

    /// <summary>An exchange is under way; of use only where no answer gets lost.</summary>
    public bool IsExchanging { get; set; }

    /// <summary>How many connections had been closed anywhere when the last exchange began.</summary>
    public long ClosingsAtRequest { get; set; }

    public int Used => Share?.Used ?? 0;

    public void Connect()
    {
        if (Share?.TryTake() != true)
        {
            Waiting++;
        }
    }

    public void GiveUp() => Waiting = 0;

    public void Close()
    {
        if (Share is { Used: > 0 } share)
        {
            share.GiveBack();
        }
    }

    public void CloseAll()
    {
        while (Used > 0)
        {
            Close();
        }
    }

    public void Begin(HeldLease lease)
    {
        Lease = lease;
        Share = new(lease.Epoch);
    }

    public void Lose()
    {
        Lease?.Dispose();
        Lease = null;
    }

    /// <summary>Serves those who wait. Whoever is left although less was given than was asked for is refused.</summary>
    /// <returns>How many were refused.</returns>
    public int Accept(ConnectionShareHolder share, ShareRequest request, ShareAnswer answer)
    {
        share.Accept(request, answer);
        while (Waiting > 0 && share.TryTake())
        {
            Waiting--;
        }

        var refused = answer.Held < request.Wanted ? Waiting : 0;
        Waiting -= refused;
        return refused;
    }

    public Task Close(CloseOrder order) => throw new NotSupportedException();

    public Task Recall(long epoch, long round)
    {
        send(() =>
        {
            if (!IsPaused && Share is { } share && share.Epoch == epoch)
            {
                share.Recall(round);
            }
        });
        return Task.CompletedTask;
    }
}

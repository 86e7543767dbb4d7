using Marketplace.Grains.Realtime.History;
using Marketplace.Realtime;
using Marketplace.Realtime.History;
using Marketplace.Realtime.Presence;
using Marketplace.Trouble;

namespace Grains.Tests.Realtime.Model;

/// <summary>The silos, their membership, the grain directory and the directory of frontends.</summary>
internal sealed class ModelSilos
{
    private static readonly ModelNode Nobody = new() { IsDead = true };

    private readonly HistoryWorld _world;
    private readonly List<ModelNode> _silos = [new(), new()];
    private readonly List<ModelHistoryActivation> _registered = []; // that calls may get to: one, or two while an evicted silo lives
    private readonly ModelNode _directory = new();
    private readonly HashSet<long> _announced = [];
    private long _set = 1;

    public ModelSilos(HistoryWorld world) => _world = world;

    public IReadOnlyList<ModelNode> All => _silos;

    /// <summary>Calls the channel's grain; a deactivated or unregistered one is replaced.</summary>
    public Task<T> CallAsync<T>(ModelNode from, Func<ModelHistoryActivation, ValueTask<T>> call)
    {
        return To(from, Route());

        Task<T> To(ModelNode caller, ModelHistoryActivation? at) => _world.Call(caller, at?.Silo ?? Nobody, async () =>
        {
            if (at!.Stopping is not { } stopping)
            {
                return await at.RunAsync(call);
            }

            if (_registered.Contains(at))
            {
                await stopping; // calls to one that is being deactivated wait for it to end
            }

            return await To(at.Silo, Route());
        });
    }

    /// <summary>kill -9: it is declared dead soon, and another one is started in its place.</summary>
    public void Kill(ModelNode silo)
    {
        if (!silo.IsDead)
        {
            _world.Trace($"silo {silo.Number} is killed");
            silo.IsDead = true;
            _world.At(TimeSpan.FromMilliseconds(1_400 + _world.Random(1_500)), () =>
            {
                Declare(silo);
                _registered.RemoveAll(activation => activation.Silo == silo);
            });
            _world.At(TimeSpan.FromMilliseconds(500 + _world.Random(4_000)), () =>
            {
                _silos.Add(new());
                _set++;
            });
        }
    }

    /// <summary>SIGSTOP: if it lasts, it is declared dead, wakes up among the living and ends itself when it has heard.</summary>
    public void Pause(ModelNode silo, TimeSpan duration)
    {
        silo.PausedUntil = _world.Now + duration;
        _world.Trace($"silo {silo.Number} is paused for {duration}");
        var seen = TimeSpan.FromSeconds(6);
        if (duration > seen)
        {
            _world.At(seen, () =>
            {
                Declare(silo);
                _registered.RemoveAll(activation => activation.Silo == silo);
            });
            _world.At(silo, duration + TimeSpan.FromMilliseconds(_world.Random(1_500)), () => Kill(silo));
        }
    }

    /// <summary>
    /// It is declared dead because other silos don't reach it, while the table and frontends do: its activation lives on beside the
    /// next one until it has heard and ends itself.
    /// </summary>
    public void Evict(ModelNode silo)
    {
        if (_silos.Contains(silo) && !silo.IsDead)
        {
            Declare(silo);
            if (_registered.Count == 1 && _registered[0].Silo == silo && LivingSilos() is [var other, ..])
            {
                _registered.Add(Activate(other));
            }

            _world.At(silo, TimeSpan.FromMilliseconds(_world.Random(6_000)), () => Kill(silo));
        }
    }

    /// <summary>An activation is collected or moved.</summary>
    public void DeactivateAny()
    {
        if (_registered.Count > 0)
        {
            Deactivate(_registered[_world.Random(_registered.Count)]);
        }
    }

    /// <summary>Says how a frontend is reached; answers with a name for the set of silos.</summary>
    public Task<long> AnnounceAsync(ModelHistoryFrontend frontend) => _world.Call(frontend.Node, _directory, () =>
    {
        _announced.Add(frontend.Epoch);
        return new ValueTask<long>(_set);
    });

    private ModelHistoryActivation? Route()
    {
        if (_registered.Count == 0)
        {
            if (LivingSilos() is not { Count: > 0 } living)
            {
                return null;
            }

            _registered.Add(Activate(living[_world.Random(living.Count)]));
        }

        return _registered[_world.Random(_registered.Count)];
    }

    private List<ModelNode> LivingSilos() => [.. _silos.Where(silo => !silo.IsDead)];

    private ModelHistoryActivation Activate(ModelNode silo) => new(_world, silo, () => LiveAsync(silo), Deactivate);

    private void Deactivate(ModelHistoryActivation activation)
    {
        if (activation.Stopping is null)
        {
            _world.Trace($"activation {activation.Number} is deactivated");
            activation.Stop(unfinished =>
            {
                _registered.Remove(activation);
                foreach (var (frontend, change) in unfinished)
                {
                    _ = HandOverAsync(frontend, change);
                }
            });
        }
    }

    /// <summary>Messages between living silos aren't lost; one that dies with its target is made up for by the set of silos.</summary>
    private async Task HandOverAsync(FrontendAddress frontend, long change)
    {
        if (Route() is { Stopping: null, Silo.IsDead: false } next)
        {
            try
            {
                await next.RunAsync(at => at.Channel.Listen(
                    ((ModelObserver)frontend.Observer).Frontend.AddressFor(at.Silo), change, default(HistoryPosition)));
            }
            catch (Exception error) when (error is TimeoutException or UnavailableException)
            {
                _world.At(next.Silo, TimeSpan.FromMilliseconds(200), () => _ = HandOverAsync(frontend, change));
            }
        }
    }

    private void Declare(ModelNode silo)
    {
        if (_silos.Remove(silo))
        {
            _world.Trace($"silo {silo.Number} is declared dead");
            _world.HadTwoActivations |= !silo.IsDead;
            _set++;
            if (_world.Chance(50))
            {
                _announced.Clear(); // the directory was on it
            }
        }
    }

    private Task<LiveFrontends> LiveAsync(ModelNode silo) => _world.Call(silo, _directory, () =>
    {
        var live = _world.Frontends.Where(frontend => frontend.HasLease).ToList();
        return new ValueTask<LiveFrontends>(new LiveFrontends(
            [.. live.Where(frontend => _announced.Contains(frontend.Epoch)).Select(frontend => frontend.AddressFor(silo))],
            [.. live.Where(frontend => !_announced.Contains(frontend.Epoch)).Select(frontend => frontend.Epoch)]));
    });
}

/// <summary>An activation of the channel's grain on a silo.</summary>
internal sealed class ModelHistoryActivation
{
    private static int _count;

    private readonly HistoryWorld _world;
    private readonly List<(FrontendAddress Frontend, long Change)> _unfinished = [];
    private int _running;

    public ModelHistoryActivation(
        HistoryWorld world, ModelNode silo, Func<Task<LiveFrontends>> live, Action<ModelHistoryActivation> deactivate)
    {
        (_world, Silo) = (world, silo);
        Channel = new(HistoryWorld.Channel, world.Store.For(silo), world.Settings, _ => live(), new ModelClock(world, silo))
        {
            OnFailure = (_, _) => { },
            OnFenced = () => deactivate(this),
            OnUnfinished = (frontend, change) => _unfinished.Add((frontend, change)),
        };
        world.Trace($"activation {Number} begins on silo {silo.Number}");
    }

    public int Number { get; } = Interlocked.Increment(ref _count);

    public ModelNode Silo { get; }

    public HistoryChannel Channel { get; }

    /// <summary>Given once it is being deactivated; completes when it has ended.</summary>
    public Task? Stopping { get; private set; }

    public async ValueTask<T> RunAsync<T>(Func<ModelHistoryActivation, ValueTask<T>> call)
    {
        _running++;
        try
        {
            return await call(this);
        }
        finally
        {
            _running--;
        }
    }

    /// <summary>Ends it when no call is under way, as Orleans does.</summary>
    public void Stop(Action<IReadOnlyList<(FrontendAddress Frontend, long Change)>> stopped)
    {
        Stopping = StopAsync();

        async Task StopAsync()
        {
            do
            {
                await Task.Delay(TimeSpan.FromMilliseconds(5), new ModelClock(_world, Silo));
            }
            while (_running > 0);
            await Channel.StopAsync(CancellationToken.None);
            stopped(_unfinished);
        }
    }
}

/// <summary>A frontend's observer as a silo reaches it.</summary>
internal sealed class ModelObserver(HistoryWorld world, ModelNode silo, ModelHistoryFrontend frontend) : IFrontendObserver
{
    public ModelHistoryFrontend Frontend => frontend;

    public ValueTask<DeliveryAnswer> Deliver(ChannelDelivery delivery) =>
        new(world.Call(silo, frontend.Node, () => new ValueTask<DeliveryAnswer>(frontend.Deliver(delivery))));

    public ValueTask<PresenceReport?> ReportPresence(string place) => throw new NotSupportedException();

    public ValueTask PresenceChanged(string place, PresenceState state) => throw new NotSupportedException();
}

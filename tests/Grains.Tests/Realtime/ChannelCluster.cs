using System.Collections.Concurrent;
using Marketplace.Frontends;
using Marketplace.Grains.Frontends;
using Marketplace.Grains.Realtime;
using Marketplace.Grains.Realtime.History;
using Marketplace.Realtime;
using Marketplace.Realtime.History;
using Marketplace.Realtime.Presence;
using Marketplace.Testing;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Orleans.Configuration;
using Orleans.Storage;
using Orleans.TestingHost;

namespace Grains.Tests.Realtime;

/// <summary>Two silos in memory, whose dead are found quickly, and frontends under real leases.</summary>
public sealed class ChannelCluster : IAsyncLifetime
{
    private readonly ConcurrentBag<IFrontendObserver> _frontends = []; // Orleans holds them weakly
    private InProcessTestCluster _cluster = null!;
    private NpgsqlDataSource _database = null!;

    public const int HistoryMessagesMax = 400;

    public IGrainFactory Grains => _cluster.Client;

    internal IFrontendLeasesGrain Leases => Grains.GetGrain<IFrontendLeasesGrain>(0);

    internal IFrontendDirectoryGrain Directory => Grains.GetGrain<IFrontendDirectoryGrain>(0);

    public async ValueTask InitializeAsync()
    {
        var storage = new SharedStorage();
        _database = await TestDatabase.CreateAsync();
        var builder = new InProcessTestClusterBuilder(initialSilosCount: 2);
        builder.ConfigureSilo((_, silo) =>
        {
#pragma warning disable ORLEANSEXP003
            silo.AddDistributedGrainDirectory();
#pragma warning restore ORLEANSEXP003
            silo.AddFrontendLeases().AddRealtime();
            silo.Services.AddSingleton(_database);
            silo.Services.Configure<HistorySettings>(history => history.MessagesMax = HistoryMessagesMax);
            silo.Services.AddKeyedSingleton<IGrainStorage>("Default", storage);
            silo.Services.AddSingleton<IGrainStorage>(storage);
            silo.Configure<FrontendLeaseSettings>(leases => leases.Term = TimeSpan.FromMinutes(2));
            silo.Configure<ClusterMembershipOptions>(membership =>
            {
                membership.ProbeTimeout = TimeSpan.FromSeconds(0.5);
                membership.MinProbeTimeout = TimeSpan.FromSeconds(0.25);
                membership.MaxProbeTimeout = TimeSpan.FromSeconds(1);
                membership.NumMissedProbesLimit = 2;
            });
        });
        _cluster = builder.Build();
        await _cluster.DeployAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _cluster.DisposeAsync();
        await _database.DisposeAsync();
    }

    /// <summary>A frontend with a lease that is known to the directory.</summary>
    internal async Task<TestFrontend> StartFrontendAsync()
    {
        var frontend = new TestFrontend();
        frontend.Address = await StartFrontendAsync(frontend);
        return frontend;
    }

    internal async Task<FrontendAddress> StartFrontendAsync(IFrontendObserver frontend)
    {
        _frontends.Add(frontend);
        var term = await Leases.Register(new("test"));
        var address = new FrontendAddress(term.Epoch, Grains.CreateObjectReference<IFrontendObserver>(frontend));
        await Directory.Announce(address);
        return address;
    }

    /// <summary>Makes a frontend, and no other, known to whatever directory there is now.</summary>
    internal async Task AnnounceAsync(FrontendAddress frontend)
    {
        foreach (var other in (await Leases.GetLive()).Where(lease => lease.Epoch != frontend.Epoch))
        {
            await Leases.Release(other.Epoch);
        }

        await Directory.Announce(frontend);
    }

    internal IChannelGrain NewChannel() => Grains.GetGrain<IChannelGrain>($"test/group/{Guid.NewGuid():N}");

    internal IHistoryGrain NewHistory() => Grains.GetGrain<IHistoryGrain>($"test/history/{Guid.NewGuid():N}");

    /// <summary>The table, as a silo would see it that nobody has told of the others.</summary>
    internal IHistoryStore NewStore() => new PostgresHistoryStore(_database);

    /// <summary>As kill -9: nothing on the silo that holds the grain is told or handed over.</summary>
    internal async Task KillSiloOfAsync(IAddressable grain)
    {
        var address = await Grains.GetGrain<IManagementGrain>(0).GetActivationAddress(grain);
        var silo = _cluster.Silos.Single(silo => silo.SiloAddress.Equals(address));
        await _cluster.KillSiloAsync(silo);
    }

    internal async Task StartSiloAsync() => await _cluster.StartAdditionalSiloAsync();

    internal async Task DeactivateAllAsync() =>
        await Grains.GetGrain<IManagementGrain>(0).ForceActivationCollection(TimeSpan.Zero);
}

/// <summary>A frontend that takes what it is told to take, and writes down what it took.</summary>
internal sealed class TestFrontend : IFrontendObserver
{
    private readonly Lock _lock = new();
    private readonly List<NumberedMessage> _taken = [];
    private int _calls;

    public FrontendAddress Address { get; set; } = null!;

    public bool Listens { get; set; } = true;

    /// <summary>Decides about the n-th call, from 1; null takes it.</summary>
    public Func<int, DeliveryVerdict?>? OnCall { get; set; }

    /// <summary>Takes a place's state; what it throws, the place's grain is answered.</summary>
    public Action<PresenceState>? OnPresence { get; set; }

    public int Calls => Volatile.Read(ref _calls);

    public IReadOnlyList<string> Taken
    {
        get
        {
            lock (_lock)
            {
                return _taken.Select(message => ((HubReply)message.Message).RequestId).ToArray();
            }
        }
    }

    public ValueTask<PresenceReport?> ReportPresence(string place) => new((PresenceReport?)null);

    public ValueTask PresenceChanged(string place, PresenceState state)
    {
        OnPresence?.Invoke(state);
        return ValueTask.CompletedTask;
    }

    public ValueTask<DeliveryAnswer> Deliver(ChannelDelivery delivery)
    {
        var call = Interlocked.Increment(ref _calls);
        if (!Listens)
        {
            return new(new DeliveryAnswer(DeliveryVerdict.NotListening, []));
        }

        if (OnCall?.Invoke(call) is { } verdict)
        {
            return new(new DeliveryAnswer(verdict, []));
        }

        lock (_lock)
        {
            _taken.AddRange(delivery.Messages);
        }

        return new(new DeliveryAnswer(DeliveryVerdict.Taken, new bool[delivery.Messages.Count]));
    }
}

/// <summary>One process that publishes, with its own order.</summary>
internal sealed class TestPublisher(IChannelGrain channel)
{
    private readonly Guid _id = Guid.NewGuid();
    private long _sequence;

    public long ServedEpoch { get; init; }

    public bool IsServed { get; init; }

    public PublishBatch Batch(params string[] texts) =>
        new(_id, texts.Select(text => new Publication(++_sequence, new HubReply(text, null, null), IsServed)).ToArray(), ServedEpoch);

    public async Task<PublishResult> Publish(params string[] texts) => await channel.Publish(Batch(texts));
}

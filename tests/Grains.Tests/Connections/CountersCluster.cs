using Grains.Tests.Connections;
using Marketplace.Connections;
using Marketplace.Frontends;
using Marketplace.Grains.Connections;
using Marketplace.Grains.Connections.Storage;
using Marketplace.Grains.Storage;
using Marketplace.Trouble;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Core.Internal;
using Orleans.TestingHost;

[assembly: AssemblyFixture(typeof(CountersCluster))]

namespace Grains.Tests.Connections;

/// <summary>Two silos in memory, with short leases.</summary>
public sealed class CountersCluster : IAsyncLifetime
{
    public static readonly TimeSpan Term = TimeSpan.FromSeconds(10); // who renews may be held up for seconds

    private InProcessTestCluster _cluster = null!;

    public IGrainFactory Grains => _cluster.Client;

    internal IFrontendLeasesGrain Leases => Grains.GetGrain<IFrontendLeasesGrain>(0);

    public async ValueTask InitializeAsync()
    {
        var builder = new InProcessTestClusterBuilder(2);
        var slots = new MemorySlotStore();
        builder.ConfigureSilo((_, silo) =>
        {
#pragma warning disable ORLEANSEXP003
            silo.AddDistributedGrainDirectory();
#pragma warning restore ORLEANSEXP003
            silo.AddMemoryGrainStorageAsDefault(storage => storage.GrainStorageSerializer = new ReadableJsonSerializer()).AddStorageTrouble().AddConnections();
            silo.Services.AddSingleton<ISlotStore>(slots);
            silo.Services.Configure<FrontendLeaseSettings>(settings =>
            {
                settings.Term = Term;
                settings.RenewEvery = settings.CallDeadline = settings.AdmissionDeadline = TimeSpan.FromSeconds(0.5);
            });
            silo.Services.Configure<ConnectionCaps>(caps => (caps.Total, caps.PerUserByRole) = (100, new() { ["interviewer"] = 7, ["operator"] = 3 }));
        });
        _cluster = builder.Build();
        await _cluster.DeployAsync();
    }

    public async ValueTask DisposeAsync() => await _cluster.DisposeAsync();

    /// <summary>A lease that is renewed until the token is cancelled.</summary>
    public async Task<long> HoldLeaseAsync(CancellationToken until)
    {
        var epoch = (await InTimeAsync(() => Leases.Register(new("test")))).Epoch;
        _ = Task.Run(async () =>
        {
            while (!until.IsCancellationRequested)
            {
                await InTimeAsync(() => Leases.Renew(epoch));
                await Task.Delay(TimeSpan.FromSeconds(0.3), TimeProvider.System, until);
            }
        }, until);
        return epoch;
    }

    internal IUserConnectionsGrain User(string? id = null) => Grains.GetGrain<IUserConnectionsGrain>(id ?? $"{Guid.NewGuid():N}");

    /// <summary>Ends the grain's activation and waits until the next call starts another.</summary>
    public static async Task RestartAsync(IAddressable grain)
    {
        await grain.AsReference<IGrainManagementExtension>().DeactivateOnIdle();
        await Task.Delay(TimeSpan.FromSeconds(0.2), TimeProvider.System);
    }

    /// <summary>What a call answers. Leases that were paused for two seconds refuse until they know that they are still theirs.</summary>
    public static async Task<T> InTimeAsync<T>(Func<ValueTask<T>> call)
    {
        for (var start = TimeProvider.System.GetTimestamp(); ; await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System))
        {
            try
            {
                return await call();
            }
            catch (UnavailableException) when (TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(10))
            {
                // they look every second
            }
        }
    }

    public static async Task UntilAsync(Func<Task<bool>> condition, TimeSpan deadline)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < deadline, $"It has not come about within {deadline}.");
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        }
    }
}

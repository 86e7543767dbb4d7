namespace Cluster.Tests;

/// <summary>Tests on the shared cluster; each begins when what the one before it killed is back.</summary>
[Collection(SharedCluster.Name)]
public abstract class SharedClusterTests(ClusterFixture fixture) : IAsyncLifetime
{
    protected ClusterFixture Fixture => fixture;

    public async ValueTask InitializeAsync() => await fixture.SettledAsync();

    public virtual ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }
}

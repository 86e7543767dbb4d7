using Marketplace.Health;
using Orleans.Concurrency;

namespace Marketplace.Grains.Health;

/// <summary>A stateless worker runs on the silo whose gateway was asked, so the answer depends on no other silo.</summary>
[StatelessWorker(1)]
internal sealed class EchoGrain : Grain, IEchoGrain
{
    public ValueTask Echo() => ValueTask.CompletedTask;
}

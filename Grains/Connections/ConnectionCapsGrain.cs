using System.Text.Json;
using Marketplace.Connections;
using Marketplace.Hosting.Settings;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Marketplace.Grains.Connections;

// A change is stored before it counts. It is acknowledged when no silo can act by the caps before it any more (their answers
// have expired, see CapsCache) and frontends have handed back what they hold of the total unused, so that from then on
// nobody is admitted beyond what was asked for.
internal sealed partial class ConnectionCapsGrain(
    [PersistentState(ConnectionCapsState.Name)] IPersistentState<ConnectionCapsState> stored,
    IOptions<ConnectionCaps> configured,
    TimeProvider clock,
    ILogger<ConnectionCapsGrain> logger) : Grain, IConnectionCapsGrain
{
    /// <summary>A tenth more than answers count for: clocks run at different rates, though never that different.</summary>
    private static readonly TimeSpan AnswersExpireWithin = CapsCache.FreshFor * 1.1;

    private CapsInForce _inForce = null!;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _inForce = InForce(stored.State.Version, stored.State.Caps);
        return Task.CompletedTask;
    }

    public ValueTask<CapsInForce> Get() => new(_inForce);

    public async ValueTask<CapsChange> Change(IReadOnlyList<int>? expected, ConnectionCaps caps, string who) =>
        SettingsRules.Check(caps).Any() ? new(CapsChangeOutcome.Invalid, _inForce) : await PutAsync(expected, caps, who);

    public async ValueTask<CapsChange> Restore(IReadOnlyList<int>? expected, string who) => await PutAsync(expected, caps: null, who);

    private async ValueTask<CapsChange> PutAsync(IReadOnlyList<int>? expected, ConnectionCaps? caps, string who)
    {
        var before = _inForce;
        if (expected?.Contains(before.Version) == false)
        {
            return new(CapsChangeOutcome.VersionMismatch, before);
        }

        if (caps is not null || before.IsChanged)
        {
            await StoreAsync(before.Version + 1, caps);
            LogChanged(who, JsonSerializer.Serialize(before.Caps), JsonSerializer.Serialize(_inForce.Caps), _inForce.Version);
            await Task.Delay(AnswersExpireWithin, clock);
            await GrainFactory.GetGrain<IConnectionTotalGrain>(0).Reclaim();
        }

        return new(CapsChangeOutcome.Success, _inForce);
    }

    private async Task StoreAsync(int version, ConnectionCaps? caps)
    {
        stored.State = new() { Version = version, Caps = caps is null ? null : StoredCaps.Of(caps) };
        try
        {
            await stored.WriteStateAsync();
        }
        catch
        {
            // Whether it was stored isn't known: the next activation reads it.
            DeactivateOnIdle();
            throw;
        }

        _inForce = InForce(version, stored.State.Caps);
    }

    private CapsInForce InForce(int version, StoredCaps? changed) =>
        new(version, changed is not null, changed?.ToCaps() ?? configured.Value);

    [LoggerMessage(LogLevel.Information, "Operator {Who} changed the caps on connections from {Old} to {New}, version {Version}")]
    private partial void LogChanged(string who, string old, string @new, int version);
}

using Marketplace.Realtime;
using Marketplace.Realtime.History;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Concurrency;

namespace Marketplace.Grains.Realtime.History;

/// <summary>One activation of a channel with history; what it does is told in HistoryChannel.cs.</summary>
[Reentrant]
internal sealed partial class HistoryGrain : Grain, IHistoryGrain
{
    private readonly ILogger<HistoryGrain> _logger;
    private readonly HistoryChannel _channel;

    public HistoryGrain(
        IGrainContext context,
        IHistoryStore store,
        FrontendDirectory directory,
        IOptions<HistorySettings> settings,
        TimeProvider clock,
        ILogger<HistoryGrain> logger)
    {
        _logger = logger;
        var name = context.GrainId.Key.ToString()!;
        _channel = new(name, store, settings.Value, directory.GetSinceAsync, clock)
        {
            OnFailure = (error, frontend) => LogFailure(error, name, frontend),
            OnFenced = () =>
            {
                LogFenced(name);
                DeactivateOnIdle();
            },
            OnUnfinished = (frontend, change) => HandOverAsync(name, frontend, change).Ignore(),
        };
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) =>
        _channel.StopAsync(cancellationToken);

    public ValueTask<HistoryPosition> Listen(FrontendAddress listener, long change, HistoryPosition? known) =>
        _channel.Listen(listener, change, known);

    public ValueTask Leave(long epoch, long change)
    {
        _channel.Leave(epoch, change);
        return ValueTask.CompletedTask;
    }

    public ValueTask<IReadOnlyList<HistoryPosition>> Append(IReadOnlyList<HistoryItem> items) => _channel.Append(items);

    public ValueTask<HistoryPage> Read(HistoryPosition after) => _channel.Read(after);

    /// <summary>Not awaited: it reaches the next activation once this one has ended. If its silo ends too, frontends listen anew.</summary>
    private async Task HandOverAsync(string name, FrontendAddress frontend, long change) =>
        await GrainFactory.GetGrain<IHistoryGrain>(name).Listen(frontend, change, default(HistoryPosition));

    [LoggerMessage(LogLevel.Warning, "Channel {Channel}: frontend {Epoch} not reached; trying again while its lease lives")]
    private partial void LogFailure(Exception error, string channel, long epoch);

    [LoggerMessage(LogLevel.Warning, "Channel {Channel}: another activation appends to it; this one ends when it is idle")]
    private partial void LogFenced(string channel);
}

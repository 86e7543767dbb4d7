using Microsoft.Extensions.Logging;

namespace Marketplace.Grains.Connections;

/// <content>Asking holders for what they don't use.</content>
internal sealed partial class ConnectionTotalGrain
{
    /// <summary>
    /// Many times what a live frontend takes, and short enough that two in a row, which is what one who is refused may have to
    /// wait for, stay under a second.
    /// </summary>
    private static readonly TimeSpan RecallWithin = TimeSpan.FromMilliseconds(400);

    private Task _running = Task.CompletedTask;
    private Task? _next;
    private TaskCompletionSource? _answered;

    /// <summary>
    /// Returns after a recall that began after this call. One runs at a time, and whoever comes meanwhile shares the next: a
    /// flood that is refused costs one recall after another, not one each.
    /// </summary>
    private Task RecallAsync() => _next ?? (_running.IsCompleted ? _running = RunAsync() : _next = AfterAsync(_running));

    private async Task AfterAsync(Task running)
    {
        await running;
        _next = null;
        await (_running = RunAsync());
    }

    private async Task RunAsync()
    {
        var (round, targets) = _holders.Recall(_shares.Shares);
        if (_holders.IsAnswered)
        {
            return;
        }

        _answered = new(TaskCreationOptions.RunContinuationsAsynchronously);
        foreach (var (epoch, callback) in targets)
        {
            callback.Recall(epoch, round).Ignore();
        }

        try
        {
            await _answered.Task.WaitAsync(RecallWithin, clock);
        }
        catch (TimeoutException)
        {
            LogSilent(string.Join(", ", _holders.GiveUp()));
        }

        _answered = null;
    }

    private void SignalAnswered()
    {
        if (_answered is { } answered && _holders.IsAnswered)
        {
            answered.TrySetResult();
        }
    }

    [LoggerMessage(LogLevel.Warning, "Frontends {Epochs} didn't say within the deadline which connections they don't use")]
    private partial void LogSilent(string epochs);
}

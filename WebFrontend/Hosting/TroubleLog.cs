namespace Marketplace.WebFrontend.Hosting;

/// <summary>
/// Says why requests are answered with 503. All of them meet the same trouble while it lasts, so a line a second is written, with
/// the number of those that had none.
/// </summary>
internal sealed partial class TroubleLog(TimeProvider clock, ILogger<TroubleLog> logger)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private readonly Lock _gate = new();
    private long? _writtenAt;
    private int _unwritten;

    public void Write(Exception error, PathString path)
    {
        int unwritten;
        lock (_gate)
        {
            if (_writtenAt is { } last && clock.GetElapsedTime(last) < Interval)
            {
                _unwritten++;
                return;
            }

            (unwritten, _unwritten, _writtenAt) = (_unwritten, 0, clock.GetTimestamp());
        }

        LogTrouble(path.ToUriComponent(), error.GetType().Name, error.Message, unwritten);
    }

    [LoggerMessage(LogLevel.Warning, "{Path} is answered with 503: {Error}: {Reason} ({Unwritten} more since the last such line)")]
    private partial void LogTrouble(string path, string error, string reason, int unwritten);
}

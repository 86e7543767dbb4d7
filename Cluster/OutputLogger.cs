using Microsoft.Extensions.Logging;

namespace Marketplace.Cluster;

/// <summary>Shows log messages as plain lines among the cluster's own.</summary>
internal sealed class OutputLogger(TextWriter output, LogLevel lowest) : ILogger
{
    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= lowest;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel))
        {
            output.WriteLine(formatter(state, exception));
        }
    }
}

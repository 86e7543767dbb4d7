using System.Net;

namespace Marketplace.Client;

public enum LiveState
{
    /// <summary>Not started.</summary>
    Idle,

    /// <summary>Tries to reach the server.</summary>
    Connecting,

    /// <summary>Connected. Channels catch up and go on.</summary>
    Connected,

    /// <summary>Waits before it tries again.</summary>
    Waiting,

    /// <summary>Stopped, refused for good, or ended by settings that throw.</summary>
    Closed,
}

/// <summary>How a connection fares.</summary>
/// <param name="State">What it is doing.</param>
/// <param name="RetryIn">How long it waits, when it does.</param>
/// <param name="Error">Why it isn't connected, if that is known.</param>
public sealed record LiveStatus(LiveState State, TimeSpan? RetryIn = null, Exception? Error = null);

/// <summary>
/// The server refused, and asking again won't help: a token, a channel, or a connection that was replaced or closed by an operator.
/// </summary>
public sealed class LiveRefusedException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>A connection could not be opened.</summary>
/// <param name="status">The server's answer, if it gave one that can be seen.</param>
/// <param name="retryAfter">How long it asked to wait.</param>
/// <param name="isNegotiated">It had negotiated, and the upgrade failed.</param>
/// <param name="inner">What SignalR said.</param>
internal sealed class LiveOpenException(HttpStatusCode? status, TimeSpan? retryAfter, bool isNegotiated, Exception inner)
    : Exception(status is null ? "The server was not reached." : $"The server answered {(int)status}.", inner)
{
    public HttpStatusCode? Status => status;

    public TimeSpan? RetryAfter => retryAfter;

    public bool IsNegotiated => isNegotiated;
}

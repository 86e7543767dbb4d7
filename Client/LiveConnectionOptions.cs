using Microsoft.AspNetCore.Http.Connections.Client;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Marketplace.Client;

/// <summary>How a <see cref="LiveConnection"/> connects. Only <see cref="Urls"/> and <see cref="AccessToken"/> have to be set.</summary>
public sealed class LiveConnectionOptions
{
    /// <summary>Addresses of the hub (<c>https://…/hubs/live</c>); the next one is tried when one can't be reached.</summary>
    public required IReadOnlyList<Uri> Urls { get; init; }

    /// <summary>
    /// Gives an access token. The argument is true when the last one was refused: then a fresh one is wanted. If the server
    /// refuses that too (401 or 403), the connection gives up. One that doesn't heed its cancellation is waited for no longer.
    /// </summary>
    public required Func<bool, CancellationToken, Task<string?>> AccessToken { get; init; }

    /// <summary>The first back-off is a random part of this; it doubles with every failure in a row.</summary>
    public TimeSpan RetryFirst { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest back-off, unless the server asks for more.</summary>
    public TimeSpan RetryMax { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A connection that lived this long was a success: failures are counted anew.</summary>
    public TimeSpan StableAfter { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// A call that isn't answered within this is taken for a broken connection, and so is an attempt to connect, its access token
    /// included, that takes longer.
    /// </summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long what the server says it has sent may take to arrive before it is asked for again.</summary>
    public TimeSpan SettleTime { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>A random part of this is added to the time that a draining server gives.</summary>
    public TimeSpan DrainJitter { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Events of a channel that wait for its reader; past it they are left with the server and asked for later.</summary>
    public int QueueMax { get; init; } = 1_000;

    /// <summary>Messages of a room that wait to be acknowledged; past it sending fails at once.</summary>
    public int PendingSendsMax { get; init; } = 100;

    /// <summary>Which refusals of a call are worth another try. The default goes by the server's words.</summary>
    public Func<HubException, bool> IsTransient { get; init; } = static error =>
        error.Message.Contains("try again", StringComparison.OrdinalIgnoreCase);

    /// <summary>Further settings of HTTP and the socket, such as headers.</summary>
    public Action<HttpConnectionOptions>? ConfigureHttp { get; init; }

    /// <summary>
    /// Further settings of SignalR, such as how long a silent server is borne (<c>WithServerTimeout</c>). Coming back is not left to
    /// SignalR: <c>WithAutomaticReconnect</c> does nothing.
    /// </summary>
    public Action<IHubConnectionBuilder>? ConfigureHub { get; init; }

    public ILoggerFactory Loggers { get; init; } = NullLoggerFactory.Instance;

    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Where jitter comes from.</summary>
    public Random Random { get; init; } = Random.Shared;
}

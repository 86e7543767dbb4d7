using System.Net;
using System.Net.Http.Headers;
using System.Net.WebSockets;
using Microsoft.AspNetCore.Http.Connections.Client;

namespace Marketplace.Client;

/// <summary>Sees the status and Retry-After of a refused negotiation or upgrade, which SignalR keeps to itself.</summary>
internal sealed class RefusalWatch(Func<CancellationToken, Task<string?>> accessToken, TimeSpan openedWithin, TimeProvider clock)
{
    public HttpStatusCode? Status { get; private set; }

    public TimeSpan? RetryAfter { get; private set; }

    /// <summary>A negotiation succeeded.</summary>
    public bool IsNegotiated { get; private set; }

    public HttpMessageHandler Watch(HttpMessageHandler inner) => new Handler(this, inner);

    /// <summary>
    /// Opens a socket as SignalR would, and keeps the answer if it is a refusal. It has its own limit, since SignalR sets none when
    /// it reconnects (stateful reconnect), and ends no connection before that is through.
    /// </summary>
    public async ValueTask<WebSocket> OpenAsync(WebSocketConnectionContext context, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(openedWithin, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        Configure(socket.Options, context.Options);
        try
        {
            if (await accessToken(either.Token).WaitAsync(either.Token).ConfigureAwait(false) is { Length: > 0 } token)
            {
                socket.Options.SetRequestHeader("Authorization", $"Bearer {token}");
            }

            await socket.ConnectAsync(context.Uri, either.Token).ConfigureAwait(false);
            return socket;
        }
        catch (WebSocketException)
        {
            if (socket.HttpStatusCode != 0)
            {
                Status = socket.HttpStatusCode;
                var retryAfter = socket.HttpResponseHeaders?
                    .FirstOrDefault(header => header.Key.Equals("Retry-After", StringComparison.OrdinalIgnoreCase)).Value?.FirstOrDefault();
                RetryAfter = RetryConditionHeaderValue.TryParse(retryAfter, out var value) ? ToDelay(value) : null;
            }

            throw;
        }
        finally
        {
            if (socket.State != WebSocketState.Open)
            {
                socket.Dispose();
            }
        }
    }

    /// <summary>Gives a socket the settings that negotiations have, as SignalR does for sockets of its own.</summary>
    private static void Configure(ClientWebSocketOptions socket, HttpConnectionOptions http)
    {
        foreach (var (name, value) in http.Headers)
        {
            socket.SetRequestHeader(name, value);
        }

        socket.Cookies = http.Cookies; // such as a balancer's, by which the upgrade gets to where the negotiation was
        if (http.ClientCertificates is { } certificates)
        {
            socket.ClientCertificates.AddRange(certificates);
        }

        if (http.Credentials is { } credentials)
        {
            socket.Credentials = credentials;
        }

        if (http.UseDefaultCredentials is { } useDefaultCredentials)
        {
            socket.UseDefaultCredentials = useDefaultCredentials;
        }

        if (http.Proxy is { } proxy)
        {
            socket.Proxy = proxy;
        }

        http.WebSocketConfiguration?.Invoke(socket);
    }

    private void See(HttpResponseMessage response)
    {
        IsNegotiated = response.IsSuccessStatusCode;
        if (!response.IsSuccessStatusCode)
        {
            (Status, RetryAfter) = (response.StatusCode, response.Headers.RetryAfter is { } value ? ToDelay(value) : null);
        }
    }

    private TimeSpan? ToDelay(RetryConditionHeaderValue value)
    {
        var delay = value.Delta ?? value.Date - clock.GetUtcNow();
        return delay > TimeSpan.Zero ? delay : null;
    }

    private sealed class Handler(RefusalWatch watch, HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var response = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
            watch.See(response);
            return response;
        }
    }
}

using Microsoft.AspNetCore.SignalR;

namespace Marketplace.WebFrontend.Realtime;

/// <summary>
/// Empties one hub of this process. Each client is told how soon to connect anew, which is spread evenly: thousands at the same
/// moment would be a storm for the other frontends. Who is still there a little after its own time, for example because it
/// doesn't know the message, is closed in a way that lets SignalR's clients reconnect by themselves.
/// </summary>
internal sealed class HubDrain<THub>(HubLifetimeManager<THub> manager, TimeProvider clock) where THub : Hub
{
    /// <summary>Our clients wait for up to a second more than they are told, and connect elsewhere before they let go.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan CloseWithin = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    private readonly OrleansHubLifetimeManager<THub> _hub = (OrleansHubLifetimeManager<THub>)manager;

    /// <summary>Returns when all connections have gone, or when some still haven't after they were closed.</summary>
    /// <param name="methodName">
    /// What clients are called with: one argument, the milliseconds after which to connect anew. Null if they aren't told, but closed
    /// when their time has come.
    /// </param>
    /// <param name="window">What the clients' times are spread over.</param>
    /// <param name="hurry">Ends it, without an error.</param>
    public async Task RunAsync(string? methodName, TimeSpan window, CancellationToken hurry)
    {
        var leaveBy = new Dictionary<string, TimeSpan>(StringComparer.Ordinal);
        var startedAt = clock.GetTimestamp();
        for (var elapsed = TimeSpan.Zero;
             !_hub.Local.IsEmpty && elapsed < window + Grace + CloseWithin && !hurry.IsCancellationRequested;
             elapsed = clock.GetElapsedTime(startedAt))
        {
            // Looked for again and again: who was admitted a moment before may only now have become a connection of the hub.
            Tell([.. _hub.Local.Where(connection => !leaveBy.ContainsKey(connection.Key)).Select(connection => connection.Value)]);
            foreach (var (id, connection) in _hub.Local)
            {
                if (leaveBy.TryGetValue(id, out var time) && elapsed >= time + (methodName is null ? TimeSpan.Zero : Grace))
                {
                    connection.Context.RequestClose();
                }
            }

            await Task.Delay(Look, clock, hurry).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

            void Tell(IReadOnlyList<LocalConnection> fresh)
            {
                var left = elapsed < window ? window - elapsed : TimeSpan.Zero;
                for (var i = 0; i < fresh.Count; i++)
                {
                    var after = left * (i + 1) / fresh.Count;
                    leaveBy[fresh[i].Id] = elapsed + after;
                    if (methodName is not null)
                    {
                        _hub.SendLocal(fresh[i], methodName, (int)after.TotalMilliseconds);
                    }
                }
            }
        }
    }
}

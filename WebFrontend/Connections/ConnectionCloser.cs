using Marketplace.Connections;

namespace Marketplace.WebFrontend.Connections;

/// <summary>Closes connections that counters want closed. Their slots go back as ever, once they are over: that is the answer.</summary>
internal sealed partial class ConnectionCloser(
    ConnectionHolder holder, AdmittedConnections connections, UserSlots slots, ILogger<ConnectionCloser> logger) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        holder.CloseOrdered += OnOrdered;
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static string ReasonOf(CloseReason reason) => reason switch
    {
        CloseReason.Replaced => "This connection was replaced: you have opened more than you may have at the same time.",
        _ => "This connection was closed by an operator.",
    };

    private void OnOrdered(CloseOrder order)
    {
        foreach (var name in order.Connections)
        {
            if (connections.Find(name) is { } connection)
            {
                LogClosing(name, order.User, order.Reason);
                _ = connection.CloseAsync(ReasonOf(order.Reason));
            }
            else
            {
                slots.GiveBackUnused(order.User, name, order.Epoch); // nobody's, or gone since: then it costs a call
            }
        }
    }

    [LoggerMessage(LogLevel.Information, "Connection {Connection} of user {User} is closed: {Reason}")]
    private partial void LogClosing(Guid connection, string user, CloseReason reason);
}

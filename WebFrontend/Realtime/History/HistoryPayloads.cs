using System.Globalization;
using System.Text.Json;
using Marketplace.Realtime.History;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Realtime.History;

/// <summary>
/// Kept messages as JSON, whatever their clients speak, and as invocations with their stamps. Each frontend writes an invocation
/// once per protocol, for all of its connections: only the channel knows the number, and it doesn't know the protocols.
/// </summary>
internal sealed class HistoryPayloads<THub>(IOptions<JsonHubProtocolOptions> json) where THub : Hub
{
    /// <summary>The client's methods, by which protocols other than JSON know the arguments' types; null for an untyped hub.</summary>
    private static readonly Type? Client = ClientOf(typeof(THub));

    public ReadOnlyMemory<byte> Serialize(object?[] arguments) =>
        JsonSerializer.SerializeToUtf8Bytes(arguments, json.Value.PayloadSerializerOptions);

    /// <summary>Written as bytes when it is first sent, once for each protocol.</summary>
    public SerializedHubMessage ToHubMessage(HistoryStamp stamp, HistoryMessage message)
    {
        using var document = JsonDocument.Parse(message.Arguments);
        var arguments = new List<object?> { stamp };
        var types = Client?.GetMethod(message.Method)?.GetParameters();
        foreach (var element in document.RootElement.EnumerateArray())
        {
            arguments.Add(types is not null && arguments.Count < types.Length
                ? element.Deserialize(types[arguments.Count].ParameterType, json.Value.PayloadSerializerOptions)
                : element.Clone());
        }

        return new(new InvocationMessage(message.Method, [.. arguments]));
    }

    public static HistoryStamp ToStamp(string channel, HistoryPosition position) =>
        new(channel, position.Epoch.ToString("x", CultureInfo.InvariantCulture), position.Number);

    /// <summary>A stamp that no channel ever gave is a position that none has.</summary>
    public static HistoryPosition ToPosition(HistoryStamp stamp) =>
        long.TryParse(stamp.Epoch, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var epoch)
            && epoch >= 0 && stamp.Number >= 0
                ? new(epoch, stamp.Number) : new(-1, 0);

    private static Type? ClientOf(Type? hub)
    {
        while (hub is not null && !(hub.IsGenericType && hub.GetGenericTypeDefinition() == typeof(Hub<>)))
        {
            hub = hub.BaseType;
        }

        return hub?.GetGenericArguments()[0];
    }
}

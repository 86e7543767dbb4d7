namespace Marketplace.Realtime;

/// <summary>What a channel carries. Channels never look inside.</summary>
[GenerateSerializer, Immutable, Alias("realtime.message")]
public abstract record ChannelMessage;

/// <summary>An invocation for the channel's connections.</summary>
/// <param name="Payloads">The invocation, serialised once for every protocol of the hub.</param>
/// <param name="Only">When given, only these connections get it.</param>
/// <param name="Except">When given, these connections don't.</param>
[GenerateSerializer, Immutable, Alias("realtime.send")]
public sealed record HubSend(
    [property: Id(0)] IReadOnlyList<ProtocolPayload> Payloads,
    [property: Id(1)] IReadOnlyList<string>? Only,
    [property: Id(2)] IReadOnlyList<string>? Except) : ChannelMessage;

/// <summary>An invocation of one connection that asks for a result, which goes to <paramref name="ReplyTo"/>.</summary>
[GenerateSerializer, Immutable, Alias("realtime.ask")]
public sealed record HubAsk(
    [property: Id(0)] string ConnectionId,
    [property: Id(1)] string RequestId,
    [property: Id(2)] IReadOnlyList<ProtocolPayload> Payloads,
    [property: Id(3)] string ReplyTo) : ChannelMessage;

/// <summary>Asks the frontend of a connection to put it into a group, or to take it out.</summary>
[GenerateSerializer, Immutable, Alias("realtime.group-change")]
public sealed record GroupChange(
    [property: Id(0)] string ConnectionId,
    [property: Id(1)] string RequestId,
    [property: Id(2)] string Group,
    [property: Id(3)] bool Joins,
    [property: Id(4)] string ReplyTo) : ChannelMessage;

/// <summary>The answer to a <see cref="HubAsk"/> or a <see cref="GroupChange"/>.</summary>
/// <param name="RequestId">What is answered.</param>
/// <param name="Error">Why it could not be done, or null.</param>
/// <param name="Completion">The client's completion message as it would stand on the wire, for an ask that was answered.</param>
[GenerateSerializer, Immutable, Alias("realtime.reply")]
public sealed record HubReply(
    [property: Id(0)] string RequestId,
    [property: Id(1)] string? Error,
    [property: Id(2)] ProtocolPayload? Completion) : ChannelMessage;

/// <summary>A hub message in the bytes of one protocol.</summary>
[GenerateSerializer, Immutable, Alias("realtime.payload")]
public sealed record ProtocolPayload([property: Id(0)] string Protocol, [property: Id(1)] ReadOnlyMemory<byte> Bytes);

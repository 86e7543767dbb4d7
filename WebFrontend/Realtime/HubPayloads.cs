using System.Buffers;
using Marketplace.Realtime;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Realtime;

/// <summary>Turns invocations into the bytes of every protocol that the hub speaks, once, and back.</summary>
internal sealed class HubPayloads<THub>(IHubProtocolResolver resolver, IOptions<HubOptions<THub>> options) where THub : Hub
{
    private readonly IHubProtocol[] _protocols = resolver.AllProtocols
        .Where(protocol => options.Value.SupportedProtocols?.Contains(protocol.Name, StringComparer.OrdinalIgnoreCase) ?? true)
        .ToArray();

    /// <summary>A connection of another frontend may speak any of them.</summary>
    public ProtocolPayload[] Serialize(InvocationMessage invocation) =>
        Array.ConvertAll(_protocols, protocol => new ProtocolPayload(protocol.Name, protocol.GetMessageBytes(invocation)));

    /// <summary>
    /// The bytes as SignalR writes them. That such a message counts for stateful reconnect although its <c>Message</c> is null
    /// is true since 8.0.16 / 9.0.5 / 10 (dotnet/aspnetcore#55575), and it holds for invocations only.
    /// </summary>
    public static SerializedHubMessage ToHubMessage(IReadOnlyList<ProtocolPayload> payloads) =>
        new(payloads.Select(payload => new SerializedMessage(payload.Protocol, payload.Bytes)).ToArray());

    /// <summary>A completion in the protocol of the connection that sent it.</summary>
    public static ProtocolPayload Serialize(CompletionMessage completion, IHubProtocol protocol) =>
        new(protocol.Name, protocol.GetMessageBytes(completion));

    /// <summary>A completion that another frontend received, with its result read as <paramref name="resultType"/>.</summary>
    public CompletionMessage ReadCompletion(ProtocolPayload payload, Type resultType)
    {
        var protocol = resolver.GetProtocol(payload.Protocol, supportedProtocols: null)
            ?? throw new InvalidDataException($"The protocol '{payload.Protocol}' isn't known to this frontend.");
        var bytes = new ReadOnlySequence<byte>(payload.Bytes);
        return protocol.TryParseMessage(ref bytes, new ResultBinder(resultType), out var message)
            && message is CompletionMessage completion
                ? completion
                : throw new InvalidDataException("The client's result is not a completion.");
    }

    private sealed class ResultBinder(Type resultType) : IInvocationBinder
    {
        public Type GetReturnType(string invocationId) => resultType;

        public IReadOnlyList<Type> GetParameterTypes(string methodName) => throw new NotSupportedException();

        public Type GetStreamItemType(string streamId) => throw new NotSupportedException();
    }
}

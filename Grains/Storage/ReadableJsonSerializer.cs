using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Orleans.Storage;

namespace Marketplace.Grains.Storage;

/// <summary>
/// Grain state as plain JSON, so that an operator can read and query it with psql:
/// <c>SELECT convert_from(payloadbinary, 'UTF8')::jsonb FROM orleansstorage</c>.
/// </summary>
public sealed class ReadableJsonSerializer : IGrainStorageSerializer
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // the payload is never written into a page
        Converters = { new JsonStringEnumConverter() },
    };

    public BinaryData Serialize<T>(T? input) => new(JsonSerializer.SerializeToUtf8Bytes(input, Options));

    public T Deserialize<T>(BinaryData input) => JsonSerializer.Deserialize<T>(input, Options)
        ?? throw new JsonException($"The stored state of {typeof(T).Name} is null.");
}

using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace RequestCoalescing.Redis.Payloads;

/// <summary>Results as UTF-8 JSON (RFC 8259), by the contracts that the options know.</summary>
internal sealed class JsonFlightSerializer(JsonSerializerOptions? options) : IFlightSerializer
{
    private readonly JsonSerializerOptions _options = options ?? Defaults();

    public byte[] Serialize<TResult>(TResult result) => JsonSerializer.SerializeToUtf8Bytes(result, TypeInfo<TResult>());

    public TResult Deserialize<TResult>(ReadOnlyMemory<byte> payload) => JsonSerializer.Deserialize(payload.Span, TypeInfo<TResult>())!;

    private JsonTypeInfo<TResult> TypeInfo<TResult>() => (JsonTypeInfo<TResult>)_options.GetTypeInfo(typeof(TResult));

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "Where reflection is turned off the options must bring contracts; without, GetTypeInfo says so.")]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "As above.")]
    private static JsonSerializerOptions Defaults() =>
        JsonSerializer.IsReflectionEnabledByDefault ? JsonSerializerOptions.Default : new JsonSerializerOptions { TypeInfoResolver = JsonTypeInfoResolver.Combine() };
}

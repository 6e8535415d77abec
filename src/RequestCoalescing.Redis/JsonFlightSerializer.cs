using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace RequestCoalescing;

/// <summary>Results as UTF-8 JSON (RFC 8259), by the contracts that the options know. Safe to call from any number of threads at once.</summary>
/// <param name="options">
/// With the source-generated context of your types as <see cref="JsonSerializerOptions.TypeInfoResolver"/> in trimmed and natively compiled
/// applications. Default null: the defaults of System.Text.Json.
/// </param>
public sealed class JsonFlightSerializer(JsonSerializerOptions? options = null) : IFlightSerializer
{
    private readonly JsonSerializerOptions _options = options ?? Defaults();

    /// <inheritdoc/>
    public byte[] Serialize<TResult>(TResult result) => JsonSerializer.SerializeToUtf8Bytes(result, TypeInfo<TResult>());

    /// <inheritdoc/>
    public TResult Deserialize<TResult>(ReadOnlyMemory<byte> payload) => JsonSerializer.Deserialize(payload.Span, TypeInfo<TResult>())!;

    private JsonTypeInfo<TResult> TypeInfo<TResult>() => (JsonTypeInfo<TResult>)_options.GetTypeInfo(typeof(TResult));

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "Where reflection is turned off the options must bring contracts; without, GetTypeInfo says so.")]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "As above.")]
    private static JsonSerializerOptions Defaults() =>
        JsonSerializer.IsReflectionEnabledByDefault ? JsonSerializerOptions.Default : new JsonSerializerOptions { TypeInfoResolver = JsonTypeInfoResolver.Combine() };
}

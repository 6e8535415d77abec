using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace RequestCoalescing;

/// <summary>Converts results to UTF-8 JSON (RFC 8259), by the contracts of the options. Safe to call from any number of threads at once.</summary>
/// <param name="options">
/// The options of System.Text.Json; null for its defaults with <see cref="JsonSerializerOptions.IncludeFields"/>, as the elements of a tuple are fields. In a trimmed or natively compiled application, set
/// <see cref="JsonSerializerOptions.TypeInfoResolver"/> to the source-generated context of your types.
/// </param>
public sealed class JsonFlightSerializer(JsonSerializerOptions? options = null) : IFlightSerializer
{
    private static readonly JsonSerializerOptions s_defaults = Defaults();

    private readonly JsonSerializerOptions _options = options ?? s_defaults;

    /// <inheritdoc/>
    public byte[] Serialize<TResult>(TResult result) => JsonSerializer.SerializeToUtf8Bytes(result, TypeInfo<TResult>());

    /// <inheritdoc/>
    public TResult Deserialize<TResult>(ReadOnlyMemory<byte> payload) => JsonSerializer.Deserialize(payload.Span, TypeInfo<TResult>())!;

    private JsonTypeInfo<TResult> TypeInfo<TResult>() => (JsonTypeInfo<TResult>)_options.GetTypeInfo(typeof(TResult));

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "If reflection is turned off, the options must bring contracts. If they do not, GetTypeInfo throws.")]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "As above.")]
    private static JsonSerializerOptions Defaults() =>
        JsonSerializer.IsReflectionEnabledByDefault
            ? new JsonSerializerOptions(JsonSerializerOptions.Default) { IncludeFields = true }
            : new JsonSerializerOptions { TypeInfoResolver = JsonTypeInfoResolver.Combine() };
}

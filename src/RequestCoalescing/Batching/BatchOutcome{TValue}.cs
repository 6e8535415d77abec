using System.Text.Json.Serialization;

namespace RequestCoalescing;

/// <summary>What a batch has found for a key: a value, nothing, or an error. The default value stands for nothing.</summary>
/// <typeparam name="TValue">The type of the value.</typeparam>
/// <remarks>It is the result of a key's flight. If the flights go through Redis, its serializer must know this type.</remarks>
public readonly record struct BatchOutcome<TValue>
{
    /// <summary>Whether the backend has answered with a value. The value may be null.</summary>
    public bool IsFound { get; init; }

    /// <summary>The value. The default of its type if there is none.</summary>
    public TValue? Value { get; init; }

    /// <summary>The error. Null unless the key failed. Only <see cref="BatchLoader{TKey, TValue}.LoadManyAsync"/> returns errors; the other methods throw them.</summary>
    [JsonIgnore]
    public Exception? Error { get; init; }
}

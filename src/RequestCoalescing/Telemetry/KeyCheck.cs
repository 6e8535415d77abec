using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using RequestCoalescing.Engine;
using RequestCoalescing.Verification;

namespace RequestCoalescing.Telemetry;

/// <summary>Warns if two keys can never be equal. Calls with such keys are never coalesced, and no other sign shows it.</summary>
internal sealed class KeyCheck(string instance, ILogger logger)
{
    private const int LookedAt = 100;
    private const int MaxDepth = 4;

    // Structs that are equal only if they refer to the same object.
    private static readonly HashSet<Type> s_references = [typeof(ImmutableArray<>), typeof(Memory<>), typeof(ReadOnlyMemory<>), typeof(ArraySegment<>)];

    private readonly ConcurrentDictionary<Type, bool> _told = new();
    private int _left = LookedAt;

    /// <summary>Looks at the keys of the first flights.</summary>
    public void Look(Flight flight)
    {
        if (Volatile.Read(ref _left) <= 0 || Interlocked.Decrement(ref _left) < 0 || !logger.IsEnabled(LogLevel.Warning)) return;
        if (flight.KeyObject is not { } key) return;
        try
        {
            if (FindIncomparable(key, 0) is { } part && _told.TryAdd(key.GetType(), true)) Log.KeyWithoutEquality(logger, instance, key.GetType(), part);
        }
        catch (Exception)
        {
            // Without a way to inspect the type, there is no ground for a warning.
        }
    }

    private static Type? FindIncomparable(object? part, int depth)
    {
        if (part is null or string or Delegate || part.GetType() == typeof(object) || depth == MaxDepth) return null;
        var type = part.GetType();
        if (type.IsPrimitive || type.IsEnum) return null;
        if (type.IsArray || (type.IsGenericType && s_references.Contains(type.GetGenericTypeDefinition()))) return type;
        if (part is ITuple tuple) return Enumerable.Range(0, tuple.Length).Select(i => FindIncomparable(tuple[i], depth + 1)).FirstOrDefault(found => found is not null);
        if (!RuntimeFeature.IsDynamicCodeSupported) return null; // reflection does not find the members in a natively compiled application
        return TypeEqualities.Of(type, out _) switch
        {
            TypeEquality.Reference => type,
            TypeEquality.Written => null,
            _ => FieldsOf(part).Select(field => FindIncomparable(field, depth + 1)).FirstOrDefault(found => found is not null),
        };
    }

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "The Equals of a record, and of a struct, uses the fields and keeps them.")]
    private static IEnumerable<object?> FieldsOf(object part) =>
        TypeEqualities.BasesOf(part.GetType()).SelectMany(level => level.GetFields(TypeEqualities.Declared)).Select(field => field.GetValue(part));
}

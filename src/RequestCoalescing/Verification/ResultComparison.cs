using System.Buffers;
using System.Collections;
using System.Collections.Specialized;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace RequestCoalescing.Verification;

/// <summary>
/// Compares two results by their content, as far as that is certain. A difference that it reports is real. If it cannot be certain, it reports
/// that instead, because a false alarm could make operators turn coalescing off.
/// </summary>
internal sealed class ResultComparison
{
    private const int MaxSteps = 1_000_000;

    private readonly ResultComparison? _outer;
    private readonly HashSet<(object, object)> _seen = new(PairComparer.Instance);
    private readonly StrongBox<int> _steps;

    private ResultComparison(ResultComparison? outer)
    {
        _outer = outer;
        _steps = outer?._steps ?? new StrongBox<int>();
    }

    /// <summary>The first type that could not be compared. Null if all could.</summary>
    public Type? Opaque { get; private set; }

    /// <summary>Compares two results.</summary>
    /// <param name="shared">The result that the caller got from the flight.</param>
    /// <param name="own">The result of its own work.</param>
    /// <param name="opaque">The type that prevents a certain answer. Null if the answer is certain.</param>
    /// <returns>Whether a difference was found.</returns>
    public static bool Differ(object? shared, object? own, out Type? opaque)
    {
        var comparison = new ResultComparison(outer: null);
        var differ = !comparison.Same(shared, own);
        opaque = differ ? null : comparison.Opaque;
        return differ;
    }

    // True if no difference was found, even if that is not certain.
    private bool Same(object? x, object? y)
    {
        if (ReferenceEquals(x, y)) return true;
        if (x is null || y is null) return false;
        var (first, second) = (ResultShape.Of(x.GetType()), ResultShape.Of(y.GetType()));
        if (first.Kind == ResultKind.Value && second.Kind == ResultKind.Value) return x.Equals(y);
        if (SpecialOf(x, y) is { } special) return special;

        if (x is ValueType && x.GetType() == y.GetType() && x.Equals(y)) return true; // two default values, which may not be enumerable

        // In a cyclic graph, the comparison comes back to a pair that it has entered before, and stops there.
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack() || ++_steps.Value > MaxSteps) return Unknown(x);
        if (!x.GetType().IsValueType && !Enter(x, y)) return true;
        if (x.GetType() != y.GetType()) return SameOfOtherType(x, first.Kind, y, second.Kind);
        return first.Kind switch
        {
            ResultKind.Sequence => SameInOrder(x, y) && SameMembers(first, x, y),
            ResultKind.Bag => SameInAnyOrder(ElementsOf(x), ElementsOf(y), areHashed: true) && SameMembers(first, x, y),
            ResultKind.Collection => SameInSomeOrder(x, y) && SameMembers(first, x, y),
            ResultKind.Dictionary => SameEntries((IDictionary)x, (IDictionary)y) && SameMembers(first, x, y),
            ResultKind.Tuple => SameItems((ITuple)x, (ITuple)y),
            ResultKind.Members => SameMembers(first, x, y),
            _ => x.Equals(y) || Unknown(x),
        };
    }

    private bool Unknown(object of)
    {
        Opaque ??= of.GetType();
        return true;
    }

    private bool Enter(object x, object y)
    {
        for (var outer = _outer; outer is not null; outer = outer._outer)
        {
            if (outer._seen.Contains((x, y))) return false;
        }

        return _seen.Add((x, y));
    }

    // Different types may still hold equal results: a collection expression creates one type for one element and another for two.
    private bool SameOfOtherType(object x, ResultKind first, object y, ResultKind second)
    {
        if (first == ResultKind.Dictionary && second == ResultKind.Dictionary) return SameEntries((IDictionary)x, (IDictionary)y);
        if (first == ResultKind.Sequence && second == ResultKind.Sequence) return SameInOrder(x, y);
        if (IsCollection(first) && IsCollection(second))
        {
            return first == ResultKind.Bag || second == ResultKind.Bag
                ? SameInAnyOrder(ElementsOf(x), ElementsOf(y), areHashed: first == second)
                : SameInSomeOrder(x, y);
        }

        // A proxy and the object behind it cannot be compared.
        var isUnknown = first is ResultKind.Opaque or ResultKind.Dictionary || second is ResultKind.Opaque or ResultKind.Dictionary || x.GetType().IsInstanceOfType(y) || y.GetType().IsInstanceOfType(x);
        return isUnknown && Unknown(x);

        static bool IsCollection(ResultKind kind) => kind is ResultKind.Sequence or ResultKind.Bag or ResultKind.Collection;
    }

    private bool SameMembers(ResultShape shape, object x, object y)
    {
        foreach (var field in shape.Visible)
        {
            if (!Same(field.GetValue(x), field.GetValue(y))) return false;
        }

        foreach (var field in shape.Hidden)
        {
            var (one, other) = (field.GetValue(x), field.GetValue(y));
            if (one is Delegate or Lock || one?.GetType() == typeof(object)) continue; // events and locks
            if (Try(one, other, out _) is not true) return Unknown(x);
        }

        return true;
    }

    private bool SameInOrder(object x, object y)
    {
        if (x is Array first && y is Array second && !SameLengths(first, second)) return false;
        var (left, right) = (((IEnumerable)x).GetEnumerator(), ((IEnumerable)y).GetEnumerator());
        try
        {
            while (left.MoveNext())
            {
                if (!right.MoveNext() || !Same(left.Current, right.Current)) return false;
            }

            return !right.MoveNext();
        }
        finally
        {
            (left as IDisposable)?.Dispose();
            (right as IDisposable)?.Dispose();
        }

        static bool SameLengths(Array first, Array second) =>
            first.Rank == second.Rank && Enumerable.Range(0, first.Rank).All(dimension => first.GetLength(dimension) == second.GetLength(dimension));
    }

    private bool SameInSomeOrder(object x, object y)
    {
        var ordered = new ResultComparison(this);
        if (ordered.SameInOrder(x, y))
        {
            Opaque ??= ordered.Opaque;
            return true;
        }

        return SameInAnyOrder(ElementsOf(x), ElementsOf(y), areHashed: false) && Unknown(x);
    }

    // Equal elements are found quickly by their hash. The rest is compared each with each. Elements of a collection that does not hash them may
    // refer to themselves, so that computing their hash would never end.
    private bool SameInAnyOrder(List<object?> first, List<object?> second, bool areHashed)
    {
        if (first.Count != second.Count) return false;
        var others = new Dictionary<object, int>();
        foreach (var element in second.Where(IsHashable)) others[element!] = others.GetValueOrDefault(element!) + 1;

        var unmatched = first.FindAll(element => !IsHashable(element) || !Take(others, element!));
        if (unmatched.Count == 0) return true;
        var candidates = others.SelectMany(other => Enumerable.Repeat((object?)other.Key, other.Value)).Concat(second.Where(element => !IsHashable(element))).ToList();
        return unmatched.TrueForAll(element => TakeSame(candidates, element));

        bool IsHashable(object? element) => element is not null && (areHashed || ResultShape.Of(element.GetType()).Kind == ResultKind.Value);

        static bool Take(Dictionary<object, int> from, object element)
        {
            if (!from.TryGetValue(element, out var count)) return false;
            if (count == 1) from.Remove(element);
            else from[element] = count - 1;
            return true;
        }
    }

    private bool TakeSame(List<object?> candidates, object? element)
    {
        Type? opaque = null;
        for (var i = 0; i < candidates.Count; i++)
        {
            var same = Try(element, candidates[i], out var reason);
            if (same is null) opaque ??= reason;
            if (same is not true) continue;
            candidates.RemoveAt(i);
            return true;
        }

        Opaque ??= opaque;
        return opaque is not null;
    }

    /// <summary>Compares two objects without recording the outcome. Null if the answer is not certain.</summary>
    private bool? Try(object? x, object? y, out Type? opaque)
    {
        var attempt = new ResultComparison(this);
        var same = attempt.Same(x, y);
        opaque = attempt.Opaque;
        return !same ? false : opaque is null ? true : null;
    }

    private bool SameEntries(IDictionary first, IDictionary second)
    {
        if (first.Count != second.Count) return false;
        List<object?> unmatched = [];
        var matched = 0;
        foreach (DictionaryEntry entry in first)
        {
            if (!second.Contains(entry.Key)) unmatched.Add((entry.Key, entry.Value));
            else if (!Same(entry.Value, second[entry.Key])) return false;
            else matched++;
        }

        if (unmatched.Count == 0) return true;
        List<object?> others = [];
        foreach (DictionaryEntry entry in second)
        {
            if (!first.Contains(entry.Key)) others.Add((entry.Key, entry.Value));
        }

        return SameInAnyOrder(unmatched, others, areHashed: false);
    }

    private bool SameItems(ITuple first, ITuple second)
    {
        if (first.Length != second.Length) return false;
        for (var i = 0; i < first.Length; i++)
        {
            if (!Same(first[i], second[i])) return false;
        }

        return true;
    }

    // Types whose Equals compares references, but whose content can be compared in another way.
    private bool? SpecialOf(object x, object y) => (x, y) switch
    {
        (byte[] a, byte[] b) => a.AsSpan().SequenceEqual(b),
        (ReadOnlyMemory<byte> a, ReadOnlyMemory<byte> b) => a.Span.SequenceEqual(b.Span),
        (Memory<byte> a, Memory<byte> b) => a.Span.SequenceEqual(b.Span),
        (ReadOnlyMemory<char> a, ReadOnlyMemory<char> b) => a.Span.SequenceEqual(b.Span),
        (Memory<char> a, Memory<char> b) => a.Span.SequenceEqual(b.Span),
        (ReadOnlySequence<byte> a, ReadOnlySequence<byte> b) => a.ToArray().AsSpan().SequenceEqual(b.ToArray()),
        (JsonElement a, JsonElement b) => JsonElement.DeepEquals(a, b),
        (JsonDocument a, JsonDocument b) => JsonElement.DeepEquals(a.RootElement, b.RootElement),
        (JsonNode a, JsonNode b) => JsonNode.DeepEquals(a, b),
        (NameValueCollection a, NameValueCollection b) => SameValues(a, b) && (x.GetType() != y.GetType() || SameMembers(ResultShape.Of(x.GetType()), x, y)),
        _ when ArrayOf(x) is { } a && ArrayOf(y) is { } b => Same(a, b),
        _ => null,
    };

    private static bool SameValues(NameValueCollection a, NameValueCollection b) =>
        a.Count == b.Count &&
        a.AllKeys.All(key => (a.GetValues(key), b.GetValues(key)) is var (ours, theirs) &&
            (ours is null || theirs is null ? ours is null && theirs is null : ours.AsSpan().SequenceEqual(theirs)));

    // The elements of a Memory<T> or ReadOnlyMemory<T>, as an array.
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "If the method was trimmed away, the memory is reported as opaque.")]
    private static object? ArrayOf(object memory)
    {
        var type = memory.GetType();
        return type.IsGenericType && type.GetGenericTypeDefinition() is var generic && (generic == typeof(Memory<>) || generic == typeof(ReadOnlyMemory<>))
            ? type.GetMethod(nameof(ReadOnlyMemory<int>.ToArray), BindingFlags.Instance | BindingFlags.Public, [])?.Invoke(memory, null)
            : null;
    }

    private static List<object?> ElementsOf(object collection) => [.. ((IEnumerable)collection).Cast<object?>()];

    private sealed class PairComparer : IEqualityComparer<(object, object)>
    {
        public static PairComparer Instance { get; } = new();

        public bool Equals((object, object) x, (object, object) y) => ReferenceEquals(x.Item1, y.Item1) && ReferenceEquals(x.Item2, y.Item2);

        public int GetHashCode((object, object) pair) => HashCode.Combine(RuntimeHelpers.GetHashCode(pair.Item1), RuntimeHelpers.GetHashCode(pair.Item2));
    }
}

using System.Collections;
using System.Runtime.CompilerServices;
using RequestCoalescing.Verification;

namespace RequestCoalescing.Mutation;

/// <summary>Hashes what an object holds. Two hashes of one object differ only if its content has changed.</summary>
internal sealed class ContentHash
{
    private const int MaxSteps = 100_000;

    private readonly HashSet<object> _entered = new(ReferenceEqualityComparer.Instance);
    private HashCode _hash;
    private int _steps;

    private ContentHash()
    {
    }

    /// <returns>The hash. Null if the object has no content that can change, or cannot be read, for example because another thread is changing it.</returns>
    public static int? Of(object content)
    {
        if (ResultShape.Of(content.GetType()).Kind is ResultKind.Value or ResultKind.Opaque) return null;
        try
        {
            var hash = new ContentHash();
            hash.Add(content);
            return hash._steps > MaxSteps ? null : hash._hash.ToHashCode();
        }
        catch (Exception)
        {
            return null;
        }
    }

    private void Add(object? content)
    {
        if (content is null)
        {
            _hash.Add(0);
            return;
        }

        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack()) _steps = MaxSteps; // the hash would depend on the stack
        if (++_steps > MaxSteps) return;
        var shape = ResultShape.Of(content.GetType());
        if (shape.HasOverriddenProperties) _steps = MaxSteps + 1; // a read may fill the property: a proxy of an object-relational mapper
        if (shape.Kind == ResultKind.Value)
        {
            _hash.Add(content);
            return;
        }

        if (!content.GetType().IsValueType && !_entered.Add(content)) return;
        if (shape.Kind == ResultKind.Tuple) AddItems((ITuple)content);
        else if (shape.Kind is not (ResultKind.Members or ResultKind.Opaque) && IsPlain(content.GetType())) AddElements((IEnumerable)content);
        foreach (var field in shape.Visible)
        {
            // What callers cannot set may change by itself, for example a counter of a service. An object in it may still be changed by callers.
            var value = field.GetValue(content);
            if (shape.Settable.Contains(field) || value is null || ResultShape.Of(value.GetType()).Kind != ResultKind.Value) Add(value);
        }
    }

    // Another collection may load its elements when it is enumerated.
    private static bool IsPlain(Type type) =>
        type.IsArray || (type.Namespace is "System.Collections" or "System.Collections.Generic" or "System.Collections.Concurrent" or "System.Collections.Immutable" or "System.Collections.ObjectModel" or "System.Collections.Frozen" or "System.Collections.Specialized");

    private void AddItems(ITuple tuple)
    {
        for (var i = 0; i < tuple.Length; i++) Add(tuple[i]);
    }

    // An unchanged collection always has the same order.
    private void AddElements(IEnumerable collection)
    {
        if (collection is byte[] bytes)
        {
            _hash.AddBytes(bytes);
            return;
        }

        foreach (var element in collection)
        {
            if (element is DictionaryEntry entry)
            {
                Add(entry.Key);
                Add(entry.Value);
            }
            else
            {
                Add(element);
            }
        }
    }
}

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
        if (content is null || ++_steps > MaxSteps || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            _hash.Add(0);
            return;
        }

        var shape = ResultShape.Of(content.GetType());
        if (shape.Kind == ResultKind.Value)
        {
            _hash.Add(content);
            return;
        }

        if (!content.GetType().IsValueType && !_entered.Add(content)) return;
        if (shape.Kind == ResultKind.Tuple) AddItems((ITuple)content);
        else if (shape.Kind is not (ResultKind.Members or ResultKind.Opaque)) AddElements((IEnumerable)content);
        foreach (var field in shape.Visible) Add(field.GetValue(content));
    }

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

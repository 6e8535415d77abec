using System.Collections;

namespace RequestCoalescing.Verification;

/// <summary>Equality of results: of values, and of collections by their elements. What is no collection may be there to be enumerated once.</summary>
internal sealed class ResultEquality : IEqualityComparer
{
    public static ResultEquality Instance { get; } = new();

    public new bool Equals(object? x, object? y)
    {
        if (object.Equals(x, y)) return true;
        if (x is not ICollection first || y is not ICollection second || first.Count != second.Count) return false;

        var (left, right) = (first.GetEnumerator(), second.GetEnumerator());
        try
        {
            while (left.MoveNext())
            {
                if (!right.MoveNext() || !Equals(left.Current, right.Current)) return false;
            }

            return !right.MoveNext();
        }
        finally
        {
            (left as IDisposable)?.Dispose();
            (right as IDisposable)?.Dispose();
        }
    }

    public int GetHashCode(object obj) => 0; // not for tables
}

namespace RequestCoalescing.Tests;

/// <summary>A comparer that runs an action within its next comparison.</summary>
internal sealed class HookedComparer : IEqualityComparer<string>
{
    public Action? Hook { get; set; }

    public bool Equals(string? x, string? y)
    {
        var hook = Hook;
        Hook = null;
        hook?.Invoke();
        return x == y;
    }

    public int GetHashCode(string obj) => 1;
}

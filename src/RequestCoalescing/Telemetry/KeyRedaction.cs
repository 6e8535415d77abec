namespace RequestCoalescing;

/// <summary>How keys appear in logs and on the dashboard.</summary>
public enum KeyRedaction
{
    /// <summary>As a keyed hash: equal keys can be told to be equal, and no more.</summary>
    Hash,

    /// <summary>As they are. A key often names a person or what a person looks at.</summary>
    Plain,
}

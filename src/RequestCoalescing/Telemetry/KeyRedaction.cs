namespace RequestCoalescing;

/// <summary>How keys appear in logs, exception messages and on the live page.</summary>
public enum KeyRedaction
{
    /// <summary>As a keyed hash. You can see whether two keys are equal, and nothing else.</summary>
    Hash,

    /// <summary>In plain text. Keys often name persons, or the things that persons look at.</summary>
    Plain,
}

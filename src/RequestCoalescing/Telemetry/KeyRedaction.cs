namespace RequestCoalescing;

/// <summary>How keys appear in logs, exception messages and on the live page.</summary>
public enum KeyRedaction
{
    /// <summary>As a keyed hash. The hash shows whether two keys are equal, and nothing more.</summary>
    Hash,

    /// <summary>In plain text. Keys often identify people, or the things that people look at.</summary>
    Plain,
}

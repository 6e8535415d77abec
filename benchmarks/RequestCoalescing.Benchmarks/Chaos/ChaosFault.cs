namespace RequestCoalescing.Benchmarks.Chaos;

/// <summary>What the origin does wrong.</summary>
internal enum ChaosFault
{
    None,

    /// <summary>It sends the body in small parts, with pauses.</summary>
    Drips,

    /// <summary>It sends nothing for a while before the headers, or within the body.</summary>
    Stalls,
    ResetsBeforeHeaders,
    EndsWithinHeaders,
    SendsGarbage,

    /// <summary>It ends the connection within the body, in order or with a reset.</summary>
    Truncates,
    Resets,

    /// <summary>It announces a body that is longer, or shorter, than the one that it sends.</summary>
    AnnouncesMore,
    AnnouncesLess,

    /// <summary>It breaks the framing of chunks.</summary>
    EndsWithinChunk,
    BreaksChunk,
}

namespace RequestCoalescing.Streaming;

/// <summary>The sizes of a <see cref="FanOut{T}"/>, in items.</summary>
internal sealed record FanOutShape
{
    /// <summary>The most items that are kept. A reader that lags further behind is cut off.</summary>
    public required long MaxBuffered { get; init; }

    /// <summary>How far the source may be ahead of the fastest reader.</summary>
    public required long ReadAhead { get; init; }

    public required int FirstSegment { get; init; }

    public required int OtherSegments { get; init; }

    /// <summary>Whether the source waits for the slowest reader, so that no reader is cut off.</summary>
    public bool WaitsForSlowest { get; init; }
}

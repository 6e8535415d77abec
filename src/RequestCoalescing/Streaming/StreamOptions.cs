using RequestCoalescing.Engine;
using RequestCoalescing.Streaming;

namespace RequestCoalescing;

/// <summary>The options of a stream. Those of the caller that starts the flight shape its buffer; <see cref="OnLag"/> is each caller's own.</summary>
public sealed class StreamOptions
{
    private const int MostAhead = 1024;
    private const int MostItemsInSegment = 64;
    private const long MostBytesAhead = 1024 * 1024;

    internal static StreamOptions Default { get; } = new();

    /// <summary>
    /// How many items a flight keeps in memory at most. Callers can join until the buffer is full, because it must still have the first item.
    /// Default 10,000. Range: 2 and up.
    /// </summary>
    public int MaxBufferedItems { get; set; } = 10_000;

    /// <summary>As <see cref="MaxBufferedItems"/>, for a stream of bytes. Default 64 MiB. Range: 64 KiB and up.</summary>
    public long MaxBufferedBytes { get; set; } = 64L * 1024 * 1024;

    /// <summary>Which reader the source waits for. Default <see cref="StreamBackpressure.FastestReader"/>.</summary>
    public StreamBackpressure Backpressure { get; set; } = StreamBackpressure.FastestReader;

    /// <summary>What happens to a reader that the buffer has left behind. Default <see cref="StreamLagBehavior.Fail"/>.</summary>
    public StreamLagBehavior OnLag { get; set; } = StreamLagBehavior.Fail;

    /// <summary>
    /// How long the source may be silent after its first item. Then all readers get a <see cref="FlightTimeoutException"/>, and the source is cancelled. The time
    /// until the first item is bounded by <see cref="SingleflightOptions.MaxDuration"/>. Time in which the source waits for its readers does not count.
    /// Default 30 seconds. Range: 1 millisecond to 24 days, or <see cref="Timeout.InfiniteTimeSpan"/>.
    /// </summary>
    public TimeSpan MaxIdle { get; set; } = TimeSpan.FromSeconds(30);

    internal StreamOptions Copy() => (StreamOptions)MemberwiseClone();

    /// <summary>Throws unless every option is in its range.</summary>
    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxBufferedItems, 2, nameof(MaxBufferedItems));
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxBufferedBytes, 64 * 1024, nameof(MaxBufferedBytes));
        if (MaxIdle != Timeout.InfiniteTimeSpan && (MaxIdle < TimeSpan.FromMilliseconds(1) || MaxIdle > TimeSpan.FromDays(24)))
        {
            throw new ArgumentOutOfRangeException(nameof(MaxIdle), MaxIdle, $"{nameof(MaxIdle)} must be from 1 millisecond to 24 days, or Timeout.InfiniteTimeSpan.");
        }

        EnumCheck.ThrowUnlessDefined(Backpressure, nameof(Backpressure));
        EnumCheck.ThrowUnlessDefined(OnLag, nameof(OnLag));
    }

    internal FanOutShape ShapeOfItems()
    {
        var readAhead = Math.Clamp(MaxBufferedItems / 4, 1, MostAhead);
        var segment = Math.Clamp(readAhead / 2, 1, MostItemsInSegment);
        return new FanOutShape
        {
            MaxBuffered = MaxBufferedItems,
            ReadAhead = readAhead,
            FirstSegment = Math.Min(segment, 16),
            OtherSegments = segment,
            WaitsForSlowest = Backpressure == StreamBackpressure.SlowestReader,
        };
    }

    internal FanOutShape ShapeOfBytes() => new()
    {
        MaxBuffered = MaxBufferedBytes,
        ReadAhead = Math.Min(MostBytesAhead, MaxBufferedBytes / 4),
        FirstSegment = 4 * 1024,
        OtherSegments = (int)Math.Min(32 * 1024, MaxBufferedBytes / 8),
        WaitsForSlowest = Backpressure == StreamBackpressure.SlowestReader,
    };
}

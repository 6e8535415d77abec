using System.Buffers;

namespace RequestCoalescing.Http.Streams;

/// <summary>A part of a shared body. The gate of the body guards its fields.</summary>
internal sealed class Segment(int size)
{
    private bool _isKept;

    public byte[] Bytes { get; } = ArrayPool<byte>.Shared.Rent(size);

    /// <summary>The number of bytes that have arrived.</summary>
    public int Length { get; set; }

    public Segment? Next { get; set; }

    /// <summary>The number of readers whose next byte is in this part.</summary>
    public int Readers { get; set; }

    /// <summary>Does not give the array back to its pool at the end, because a reader may still copy from it.</summary>
    public void Keep() => _isKept = true;

    public void Free()
    {
        if (!_isKept) ArrayPool<byte>.Shared.Return(Bytes);
    }
}

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

    /// <summary>Keeps the bytes from being used again, because a reader may still copy them.</summary>
    public void Keep() => _isKept = true;

    public void Free()
    {
        if (!_isKept) ArrayPool<byte>.Shared.Return(Bytes);
    }
}

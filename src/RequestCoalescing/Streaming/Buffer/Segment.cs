using System.Buffers;

namespace RequestCoalescing.Streaming;

/// <summary>A part of a <see cref="FanOut{T}"/>, whose gate guards its fields. Readers see the items below <see cref="Count"/> without the gate.</summary>
internal sealed class Segment<T>
{
    private bool _isKept;
    private int _count;

    public Segment(long start, int size) => (Start, Size, Items) = (start, size, IsPooled ? ArrayPool<T>.Shared.Rent(size) : new T[size]);

    // Bytes are copied out under a mark, so that an array can be used again. A reader of items may be anywhere in the array at any moment.
    private static bool IsPooled => typeof(T) == typeof(byte);

    public T[] Items { get; }

    /// <summary>The position of its first item.</summary>
    public long Start { get; }

    /// <summary>How many items it can have.</summary>
    public int Size { get; }

    /// <summary>How many items have arrived.</summary>
    public int Count
    {
        get => Volatile.Read(ref _count);
        set => Volatile.Write(ref _count, value);
    }

    public Segment<T>? Next { get; set; }

    /// <summary>The number of readers whose next item is in this part.</summary>
    public int Readers { get; set; }

    /// <summary>Does not give the array back to its pool at the end, because a reader may still copy from it.</summary>
    public void Keep() => _isKept = true;

    public void Free()
    {
        if (IsPooled && !_isKept) ArrayPool<T>.Shared.Return(Items);
    }
}

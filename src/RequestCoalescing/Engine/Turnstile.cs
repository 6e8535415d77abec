using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace RequestCoalescing.Engine;

/// <summary>
/// Counts callers that enter from any number of threads, until it is closed. Threads that meet get cells of their own, one for each processor, so
/// that they do not contend for one cache line.
/// </summary>
/// <remarks>
/// The sign of each counter says whether it is closed. <see cref="Close"/> sets it in one atomic step for each counter, and the value of that
/// moment is final: a caller has entered exactly if its step came first.
/// It is a part of its owner, which must not copy it.
/// </remarks>
internal struct Turnstile()
{
    private const long Closed = long.MinValue;

    /// <summary>The number of cells: one for each processor, rounded up to a power of two, behind one that is not used.</summary>
    /// <remarks>All threads read the length of the array. The unused cell keeps it, and the object in front of the array, away from the counters.</remarks>
    public static readonly int Cells = 1 + (int)BitOperations.RoundUpToPowerOf2((uint)Math.Min(Environment.ProcessorCount, 64));
    private static readonly Cell[] s_closedCells = [.. Enumerable.Repeat(new Cell { Count = Closed }, Cells)];

    private long _count;
    private Cell[]? _cells; // created when two threads have met
    private long _final = -1;

    /// <summary>The index of the cell of the processor that runs this thread.</summary>
    public static int CellOfProcessor => 1 + (Thread.GetCurrentProcessorId() & (Cells - 2));

    /// <summary>The number of callers that have entered. Exact when no caller is just entering.</summary>
    public long Count
    {
        get
        {
            if (Volatile.Read(ref _final) is >= 0 and var final) return final;
            var count = Volatile.Read(ref _count) & ~Closed;
            if (Volatile.Read(ref _cells) is not { } cells || cells == s_closedCells) return count;
            foreach (ref var cell in cells.AsSpan()) count += Volatile.Read(ref cell.Count) & ~Closed;
            return count;
        }
    }

    /// <summary>Lets a caller enter.</summary>
    /// <returns>A positive number that increases by one with each caller that enters through the same counter. A negative number if it is closed.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // a part of the usual join; without this, the compiler inlines it in some processes and not in others
    public long Enter()
    {
        if (Volatile.Read(ref _cells) is { } cells) return EnterCell(cells);
        var count = Volatile.Read(ref _count);
        return count < 0 || Interlocked.CompareExchange(ref _count, count + 1, count) == count ? count + 1 : EnterCell(MakeCells());
    }

    /// <summary>Closes it. Only one thread may call this at a time.</summary>
    public void Close()
    {
        if (_final >= 0) return;
        var count = Interlocked.Or(ref _count, Closed) & ~Closed;
        if (Interlocked.CompareExchange(ref _cells, s_closedCells, null) is { } cells)
        {
            foreach (ref var cell in cells.AsSpan()) count += Interlocked.Or(ref cell.Count, Closed);
        }

        Volatile.Write(ref _final, count);
    }

    // A step that comes after the close increases a counter that is no longer read.
    private static long EnterCell(Cell[] cells)
    {
        var cell = CellOfProcessor;
        return Interlocked.Increment(ref cells[cell].Count) + cell; // the cells begin with different numbers
    }

    private Cell[] MakeCells()
    {
        var made = new Cell[Cells];
        return Interlocked.CompareExchange(ref _cells, made, null) ?? made;
    }

    [StructLayout(LayoutKind.Sequential, Size = 128)] // processors fetch cache lines in pairs
    private struct Cell
    {
        public long Count;
    }
}

using System.Diagnostics;
using System.Runtime.InteropServices;

namespace RequestCoalescing.Engine;

/// <summary>
/// Callers with a token that have joined a flight without the gate, and are not in its ring yet. They lie on a stack that each joiner extends by one
/// compare-exchange. Threads that meet get stacks of their own, one for each processor.
/// </summary>
/// <remarks>
/// <para><see cref="Close"/> replaces the top of each stack with a mark. A caller has joined exactly if its step came first; a later caller takes the
/// gate. Each subscriber knows its depth, so that the count needs no walk.</para>
/// <para>A caller that leaves stays on its stack, marked, so that a leave needs no walk either. When more callers have left than stay, every 32nd
/// leave takes 64 callers off the stacks.</para>
/// <para>The depth is right because no subscriber comes to the same stack twice: one that has left its flight is not pooled again.</para>
/// </remarks>
internal sealed class Arrivals
{
    private static readonly Subscriber s_closed = new ClosedMark();
    private static readonly PaddedCell[] s_closedCells = [.. Enumerable.Repeat(new PaddedCell { Cell = { Top = s_closed } }, Turnstile.Cells)];

    private Cell _first;
    private PaddedCell[]? _cells; // created when two threads have met

    // Guarded by the gate, and after the flight's end by the thread that closed it.
    private Subscriber? _taken;
    private int _turn;
    private int _seen; // a lower bound of the count
    private int _leaves;

    public bool IsClosed { get; private set; }

    /// <summary>The number of callers on the stacks that have left.</summary>
    public int Left { get; private set; }

    /// <summary>The number of callers on the stacks, with those that have left. Exact under the gate once they are closed.</summary>
    public int Count
    {
        get
        {
            var count = Volatile.Read(ref _taken)?.Depth ?? 0;
            count += _first.Count;
            if (Volatile.Read(ref _cells) is not { } cells || cells == s_closedCells) return count;
            foreach (ref var padded in cells.AsSpan()) count += padded.Cell.Count;
            return count;
        }
    }

    /// <returns>False if it is closed.</returns>
    public bool TryAdd(Subscriber subscriber) => subscriber.HasArrived = TryPush(subscriber);

    /// <summary>Lets no more callers join. Call it under the gate.</summary>
    public void Close()
    {
        if (IsClosed) return;
        IsClosed = true;
        _first.Close();
        if (Interlocked.CompareExchange(ref _cells, s_closedCells, null) is not { } cells) return;
        foreach (ref var padded in cells.AsSpan()) padded.Cell.Close();
    }

    /// <summary>Whether a caller on the stacks has not left. This usually takes one step. Call it under the gate.</summary>
    public bool Any() => _seen > Left || (_seen = Count) > Left;

    /// <summary>A caller of the flight has left. Call it under the gate.</summary>
    /// <param name="isHere">Whether it is on a stack.</param>
    /// <returns>Whether it is time to take <see cref="Shard.MaxAtOnce"/> callers.</returns>
    public bool OnLeft(bool isHere)
    {
        if (isHere) Left++;
        return ++_leaves % (Shard.MaxAtOnce / 2) == 0 && Left > Count / 2;
    }

    /// <summary>Takes one caller. Call it under the gate.</summary>
    public Subscriber? Take()
    {
        if ((_taken ??= TakeChain()) is not { } taken) return null;
        Volatile.Write(ref _taken, taken.Next);
        _seen--;
        if (taken.HasLeft) Left--;
        return taken;
    }

    /// <summary>Takes the callers of one stack. Call it under the gate, or after the flight's end on the thread that has closed the flight.</summary>
    /// <returns>The first of a chain. Null when all are taken.</returns>
    public Subscriber? TakeChain()
    {
        if (_taken is { } chain)
        {
            _taken = null;
            return chain;
        }

        if (_first.Take() is { } first) return first;
        if (_cells is not { } cells || cells == s_closedCells) return null;
        for (var looks = 0; looks < cells.Length; looks++)
        {
            if (cells[(uint)_turn++ % (uint)cells.Length].Cell.Take() is { } next) return next; // in turn, while callers go on joining
        }

        return null;
    }

    private static void Put(Subscriber subscriber, Subscriber? top)
    {
        subscriber.Next = top;
        subscriber.Depth = top is null ? 1 : top.Depth + 1;
    }

    private static bool TryPush(PaddedCell[] cells, Subscriber subscriber)
    {
        ref var cell = ref cells[Turnstile.CellOfProcessor].Cell;
        for (var top = Volatile.Read(ref cell.Top); top != s_closed;)
        {
            Put(subscriber, top);
            var found = Interlocked.CompareExchange(ref cell.Top, subscriber, top);
            if (found == top) return true;
            top = found;
        }

        return false;
    }

    private bool TryPush(Subscriber subscriber)
    {
        if (Volatile.Read(ref _cells) is { } cells) return TryPush(cells, subscriber);
        var top = Volatile.Read(ref _first.Top);
        if (top == s_closed) return false;
        Put(subscriber, top);
        return Interlocked.CompareExchange(ref _first.Top, subscriber, top) == top || TryPush(MakeCells(), subscriber);
    }

    private PaddedCell[] MakeCells()
    {
        var made = new PaddedCell[Turnstile.Cells];
        return Interlocked.CompareExchange(ref _cells, made, null) ?? made;
    }

    private struct Cell
    {
        public Subscriber? Top;
        private Subscriber? _closed; // what was on the stack when it was closed

        public readonly int Count => (Top is { } top && top != s_closed ? top : _closed)?.Depth ?? 0;

        public void Close() => _closed = Interlocked.Exchange(ref Top, s_closed);

        public Subscriber? Take()
        {
            if (Top == s_closed) return Interlocked.Exchange(ref _closed, null);
            return Top is null ? null : Interlocked.Exchange(ref Top, null);
        }
    }

    // Processors fetch cache lines in pairs.
    private struct PaddedCell
    {
        public Cell Cell;
        private readonly Padding _padding;
    }

    [StructLayout(LayoutKind.Sequential, Size = 112)]
    private struct Padding;

    private sealed class ClosedMark : Subscriber
    {
        public override bool HasCancelled => throw new UnreachableException();

        public override IThreadPoolWorkItem Lead(Flight flight) => throw new UnreachableException();

        public override void Complete(object outcome, bool continuesHere) => throw new UnreachableException();

        public override void CompleteCancelled() => throw new UnreachableException();
    }
}

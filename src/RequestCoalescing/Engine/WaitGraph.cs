using System.Diagnostics.CodeAnalysis;

namespace RequestCoalescing.Engine;

/// <summary>
/// Records which flight's work waits for which flight, over all engines of the process, and finds the wait that closes a circle. Only the waits
/// of work are recorded, as long as they last.
/// </summary>
/// <remarks>
/// Suppose that the work of flight A begins to wait for flight B. The wait is added, and later removed, under B's gate and in O(1). It can close a
/// circle only if some work waits for A and the work of B waits for some flight. Only then is the graph walked: outside of every gate, from both
/// ends at once, and for a bounded number of steps. A walk considers only waits that are older than its own. Therefore the newest wait of a circle
/// finds the circle, and the others do not.
/// </remarks>
internal static class WaitGraph
{
    /// <summary>The number of waits that a walk considers before it gives up.</summary>
    private const int MaxSteps = 2_000;

    private static readonly Lock s_gate = new();
    private static readonly Dictionary<Flight, Side> s_waitsOf = [];
    private static readonly Dictionary<Flight, Side> s_waitersFor = [];
    private static readonly Dictionary<Flight, Batch> s_batches = [];
    private static long s_count;

    /// <summary>Records that the work of a flight waits for another flight. Call it under the gate of the other flight.</summary>
    /// <param name="work">The flight whose work waits.</param>
    /// <param name="flight">The flight that it waits for.</param>
    /// <param name="mayCloseCircle">Whether the wait may close a circle, so that the caller must call <see cref="FindCircle"/>.</param>
    public static Wait Add(Flight work, Flight flight, out bool mayCloseCircle)
    {
        lock (s_gate)
        {
            if (s_batches.TryGetValue(work, out var batch)) batch.AddWaits();
            mayCloseCircle = work == flight || (s_waitersFor.ContainsKey(work) && s_waitsOf.ContainsKey(flight));
            return new Wait(++s_count, SideOf(s_waitsOf, work), SideOf(s_waitersFor, flight));
        }
    }

    /// <summary>Removes a wait that is over.</summary>
    public static void Remove(Wait wait)
    {
        lock (s_gate) RemoveUnderGate(wait);
    }

    /// <summary>
    /// Records that the work of a flight runs for the flights of a whole batch, which therefore wait for it. Their waits are added only if that work begins to
    /// wait itself, because no circle can exist before.
    /// </summary>
    /// <param name="runner">The flight whose work runs the batch.</param>
    /// <param name="waiters">The flights that wait.</param>
    /// <returns>The batch. Remove it when its run is over. Null if the flight runs another batch at the same time.</returns>
    public static Batch? AddBatch(Flight runner, IEnumerable<Flight> waiters)
    {
        var batch = new Batch(runner, waiters);
        lock (s_gate) return s_batches.TryAdd(runner, batch) ? batch : null;
    }

    /// <summary>Removes a batch whose run is over.</summary>
    public static void Remove(Batch batch)
    {
        lock (s_gate)
        {
            s_batches.Remove(batch.Runner);
            foreach (var wait in batch.Waits) RemoveUnderGate(wait);
        }
    }

    /// <summary>Moves all waits for a flight to its successor. Call it under their gate.</summary>
    public static void Move(Flight flight, Flight successor)
    {
        lock (s_gate)
        {
            if (!s_waitersFor.Remove(flight, out var waiters)) return;
            waiters.Flight = successor;
            s_waitersFor.Add(successor, waiters);
        }
    }

    /// <summary>Looks for the circle that a wait closes. Call it outside of every gate.</summary>
    /// <param name="wait">The wait.</param>
    /// <param name="circle">The flights with their keys, each of which waits for the next one. The first and the last are the same.</param>
    /// <returns>Whether there is a circle. Null if the walk was given up.</returns>
    public static bool? FindCircle(Wait wait, out IReadOnlyList<(Flight Flight, object Key)> circle)
    {
        circle = [];
        lock (s_gate)
        {
            if (wait.InFrom.List is null) return false; // the wait is over by now
            var (work, flight) = (wait.From.Flight, wait.To.Flight);
            var path = new List<Flight> { work, flight };
            if (work != flight)
            {
                var ahead = new Frontier(flight, wait, isForward: true);
                var behind = new Frontier(work, wait, isForward: false);
                for (var steps = 0; ; steps++)
                {
                    if (steps == MaxSteps) return null;
                    var side = steps % 2 == 0 ? ahead : behind;
                    var other = side == ahead ? behind : ahead;
                    if (!side.TryStep(out var reached)) return false;
                    if (reached is null || !other.Has(reached)) continue;
                    path = [work, .. ahead.PathTo(reached).Reverse(), .. behind.PathTo(reached).Skip(1)];
                    break;
                }
            }

            // A flight whose work has ended has released its key, and no longer makes its callers wait.
            circle = path.ConvertAll(each => (each, each.KeyObject!));
            return circle.All(each => each.Key is not null);
        }
    }

    private static void RemoveUnderGate(Wait wait)
    {
        if (wait.From.Leave(wait.InFrom)) s_waitsOf.Remove(wait.From.Flight);
        if (wait.To.Leave(wait.InTo)) s_waitersFor.Remove(wait.To.Flight);
    }

    private static Side SideOf(Dictionary<Flight, Side> sides, Flight flight)
    {
        if (!sides.TryGetValue(flight, out var side)) sides.Add(flight, side = new Side(flight));
        return side;
    }

    /// <summary>The waits of one flight's work, or for one flight.</summary>
    internal sealed class Side(Flight flight)
    {
        private readonly LinkedList<Wait> _waits = [];

        public Flight Flight { get; set; } = flight;

        public LinkedListNode<Wait>? First => _waits.First;

        public void Join(LinkedListNode<Wait> wait) => _waits.AddLast(wait);

        /// <returns>Whether the last wait has left.</returns>
        public bool Leave(LinkedListNode<Wait> wait)
        {
            if (wait.List is null) return false;
            _waits.Remove(wait);
            return _waits.Count == 0;
        }
    }

    /// <summary>A wait of a flight's work for a flight.</summary>
    internal sealed class Wait
    {
        public Wait(long number, Side from, Side to)
        {
            (Number, From, To, InFrom, InTo) = (number, from, to, new(this), new(this));
            from.Join(InFrom);
            to.Join(InTo);
        }

        /// <summary>Waits are numbered in the order in which they began.</summary>
        public long Number { get; }

        public Side From { get; }

        public Side To { get; }

        public LinkedListNode<Wait> InFrom { get; }

        public LinkedListNode<Wait> InTo { get; }
    }

    /// <summary>A run for many flights. Guarded by the graph's gate.</summary>
    internal sealed class Batch(Flight runner, IEnumerable<Flight> waiters)
    {
        public Flight Runner => runner;

        public IReadOnlyList<Wait> Waits { get; private set; } = [];

        public void AddWaits()
        {
            if (Waits.Count == 0) Waits = [.. waiters.Where(waiter => waiter != runner).Select(waiter => new Wait(++s_count, SideOf(s_waitsOf, waiter), SideOf(s_waitersFor, runner)))];
        }
    }

    /// <summary>One end of a breadth-first walk. It goes from a flight to the flights that its work waits for, or to the flights whose work waits for it.</summary>
    private sealed class Frontier(Flight start, Wait newest, bool isForward)
    {
        private readonly Dictionary<Flight, Flight?> _cameFrom = new() { [start] = null };
        private readonly Queue<Flight> _queue = new([start]);
        private LinkedListNode<Wait>? _next;
        private Flight _current = start;

        public bool Has(Flight flight) => _cameFrom.ContainsKey(flight);

        /// <summary>Looks at one wait.</summary>
        /// <param name="reached">The flight that the wait leads to, if the walk has not been there.</param>
        /// <returns>Whether a wait was left to look at.</returns>
        public bool TryStep([NotNullWhen(true)] out Flight? reached)
        {
            reached = null!;
            while (_next is null)
            {
                if (!_queue.TryDequeue(out _current!)) return false;
                _next = (isForward ? s_waitsOf : s_waitersFor).GetValueOrDefault(_current)?.First;
            }

            var wait = _next.Value;
            _next = _next.Next;
            var flight = (isForward ? wait.To : wait.From).Flight;

            // A closed flight no longer makes its callers wait, even if its own work still waits.
            if (wait.Number < newest.Number && flight.State == FlightState.InFlight && _cameFrom.TryAdd(flight, _current))
            {
                _queue.Enqueue(flight);
                reached = flight;
            }

            return true;
        }

        /// <summary>Returns the path back from a flight to the start.</summary>
        public IEnumerable<Flight> PathTo(Flight flight)
        {
            for (var each = flight; each is not null; each = _cameFrom[each]) yield return each;
        }
    }
}

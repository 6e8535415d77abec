namespace RequestCoalescing.Tests.Batching;

/// <summary>A model of a batch loader without threads and tasks: a queue, a list of batches, and the state of each caller.</summary>
internal sealed class BatchModel(int window, int size, int concurrent)
{
    private readonly List<Caller> _callers = [];
    private readonly List<Flight> _flights = [];
    private readonly List<Flight> _queue = [];
    private readonly List<Batch> _batches = [];
    private int _now;
    private int _leftOut;

    public void Do(BatchCommand command)
    {
        switch (command.Kind)
        {
            case BatchCommandKind.Load:
                Load(command.Number, command.Leaves);
                break;
            case BatchCommandKind.Leave when command.Number < _callers.Count && _callers[command.Number] is { Leaves: true, Outcome: null } caller:
                Leave(caller);
                break;
            case BatchCommandKind.Wait:
                _now += command.Number;
                break;
            case BatchCommandKind.Forget:
                foreach (var flight in _flights.Where(flight => flight.Key == command.Number)) flight.IsCurrent = false;
                break;
            case BatchCommandKind.Succeed or BatchCommandKind.Fail when command.Number < _batches.Count && _batches[command.Number].IsRunning:
                End(_batches[command.Number], command);
                break;
        }

        while (_queue.Count > 0 && _batches.Count(batch => batch.IsRunning) < concurrent && (_queue.Count >= size || _now - _queue[0].QueuedAt >= window))
        {
            var flights = _queue.Take(size).ToList();
            _queue.RemoveRange(0, flights.Count);
            _batches.Add(new Batch { Flights = flights });
        }
    }

    public string Describe() => Join(
        _callers.Select(caller => caller.Outcome ?? "waits"),
        _batches.Select(batch => $"{string.Join('+', batch.Keys)}{(batch.IsCancelled ? " cancelled" : "")}"),
        _queue.Count,
        _batches.Count(batch => batch.IsRunning),
        _leftOut);

    /// <summary>The outcome of a key: odd keys are missing.</summary>
    public static string OutcomeOf(int key, int batch) => key % 2 == 1 ? "missing" : $"{key} of {batch}";

    public static string Join(IEnumerable<string> callers, IEnumerable<string> batches, int pending, int running, long leftOut) =>
        $"[{string.Join(", ", callers)}], batches [{string.Join(", ", batches)}], {pending} pending, {running} running, {leftOut} left out";

    private void Load(int key, bool leaves)
    {
        var flight = _flights.Find(flight => flight.Key == key && flight.IsCurrent);
        if (flight is null)
        {
            _flights.Add(flight = new Flight { Key = key, QueuedAt = _now });
            _queue.Add(flight);
        }

        _callers.Add(new Caller { Flight = flight, Leaves = leaves });
    }

    private void Leave(Caller caller)
    {
        caller.Outcome = "left";
        var flight = caller.Flight;
        if (IsAwaited(flight)) return;
        flight.IsCurrent = false;
        if (_queue.Remove(flight)) _leftOut++;
        else if (_batches.First(batch => batch.Flights.Contains(flight)) is var batch && !batch.Flights.Any(IsAwaited)) batch.IsCancelled = true;
    }

    private void End(Batch batch, BatchCommand command)
    {
        batch.IsRunning = false;
        foreach (var flight in batch.Flights)
        {
            flight.IsCurrent = false;
            foreach (var caller in _callers.Where(caller => caller.Flight == flight)) caller.Outcome ??= command.Kind == BatchCommandKind.Fail ? $"failure {command.Number}" : OutcomeOf(flight.Key, command.Number);
        }
    }

    private bool IsAwaited(Flight flight) => _callers.Exists(caller => caller.Flight == flight && caller.Outcome is null);

    private sealed class Flight
    {
        public required int Key { get; init; }

        public required int QueuedAt { get; init; }

        public bool IsCurrent { get; set; } = true;
    }

    private sealed class Batch
    {
        public required List<Flight> Flights { get; init; }

        public IEnumerable<int> Keys => Flights.Select(flight => flight.Key).Distinct();

        public bool IsRunning { get; set; } = true;

        public bool IsCancelled { get; set; }
    }

    private sealed class Caller
    {
        public required Flight Flight { get; init; }

        public required bool Leaves { get; init; }

        public string? Outcome { get; set; }
    }
}

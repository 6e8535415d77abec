namespace RequestCoalescing.Tests;

/// <summary>A model of an engine without threads and tasks: a list of flights, and the state of each caller.</summary>
internal sealed class Model
{
    private readonly List<Flight> _flights = [];
    private readonly List<Caller> _callers = [];
    private int _now;
    private int _timedOut;
    private int _coalesced;

    public void Do(Command command)
    {
        switch (command.Kind)
        {
            case CommandKind.Call:
                Call(command.Number, command.Leaves);
                break;
            case CommandKind.Cancel when command.Number < _callers.Count && _callers[command.Number] is { Leaves: true, Outcome: null } caller:
                caller.Outcome = "left";
                if (!Waiting(caller.Flight).Any()) (caller.Flight.IsOpen, caller.Flight.IsCurrent) = (false, false);
                break;
            case CommandKind.Succeed when IsRunning(command.Number):
                End(_flights[command.Number], $"value {command.Number}");
                break;
            case CommandKind.Fail when IsRunning(command.Number):
                End(_flights[command.Number], $"failure {command.Number}");
                break;
            case CommandKind.EndCancelled when IsRunning(command.Number):
                EndCancelled(_flights[command.Number]);
                break;
            case CommandKind.Forget:
                foreach (var flight in _flights.Where(flight => flight.Key == command.Number)) flight.IsCurrent = false;
                break;
            case CommandKind.Clear:
                foreach (var flight in _flights) flight.IsCurrent = false;
                break;
            case CommandKind.Wait:
                Wait(command.Number);
                break;
        }
    }

    public string Describe() => ModelSubject.Join(
        _callers.Select(caller => caller.Outcome ?? "waits"),
        _flights.Count,
        _coalesced,
        _flights.Count(flight => flight.IsOpen),
        _flights.Where(flight => flight.IsOpen).Sum(flight => Waiting(flight).Count()),
        _timedOut,
        _flights.Count(flight => flight.IsExpired && flight.IsRunning));

    private void Call(int key, bool leaves)
    {
        var flight = _flights.FirstOrDefault(flight => flight.Key == key && flight.IsCurrent && _now - flight.TakenOffAt <= ModelSubject.JoinWindow);
        if (flight is null)
        {
            foreach (var superseded in _flights.Where(flight => flight.Key == key)) superseded.IsCurrent = false;
            flight = new Flight { Key = key, TakenOffAt = _now };
            _flights.Add(flight);
        }
        else
        {
            _coalesced++;
        }

        var caller = new Caller { Flight = flight, Leaves = leaves };
        _callers.Add(caller);
        flight.Leader ??= caller;
    }

    private void End(Flight flight, string outcome)
    {
        flight.IsRunning = false;
        Close(flight, outcome);
    }

    private void EndCancelled(Flight flight)
    {
        var waiting = Waiting(flight).ToList();
        if (!flight.IsOpen || flight.Leader!.Outcome is null || flight.Elections == 3)
        {
            End(flight, "cancelled");
            return;
        }

        // Callers that cannot leave are elected first. Otherwise the order of arrival decides.
        var successor = new Flight
        {
            Key = flight.Key,
            TakenOffAt = _now,
            IsCurrent = flight.IsCurrent,
            Elections = flight.Elections + 1,
            Leader = waiting.FirstOrDefault(caller => !caller.Leaves) ?? waiting[0],
        };
        _flights.Add(successor);
        foreach (var caller in waiting) caller.Flight = successor;
        End(flight, "");
    }

    private void Wait(int seconds)
    {
        _now += seconds;
        foreach (var flight in _flights.Where(flight => flight is { IsRunning: true, IsExpired: false } && _now - flight.TakenOffAt >= ModelSubject.MaxDuration))
        {
            if (flight.IsOpen) _timedOut++;
            flight.IsExpired = true;
            Close(flight, "timeout");
        }
    }

    private void Close(Flight flight, string outcome)
    {
        if (!flight.IsOpen) return;
        foreach (var caller in Waiting(flight)) caller.Outcome = outcome;
        (flight.IsOpen, flight.IsCurrent) = (false, false);
    }

    private bool IsRunning(int run) => run < _flights.Count && _flights[run].IsRunning;

    private IEnumerable<Caller> Waiting(Flight flight) => _callers.Where(caller => caller.Flight == flight && caller.Outcome is null);

    private sealed class Flight
    {
        public int Key { get; init; }

        public int TakenOffAt { get; init; }

        public bool IsCurrent { get; set; } = true;

        public bool IsOpen { get; set; } = true;

        public bool IsRunning { get; set; } = true;

        public bool IsExpired { get; set; }

        public int Elections { get; init; }

        public Caller? Leader { get; set; }
    }

    private sealed class Caller
    {
        public required Flight Flight { get; set; }

        public bool Leaves { get; init; }

        public string? Outcome { get; set; }
    }
}

namespace RequestCoalescing.Tests.Streaming;

/// <summary>A stream in a few lines: runs that yield numbers, and callers that read each from its beginning.</summary>
internal sealed class StreamModel
{
    private readonly List<Caller> _callers = [];
    private readonly List<Run> _runs = [];

    public void Do(StreamCommand command)
    {
        switch (command.Kind)
        {
            case StreamCommandKind.Call:
                Call();
                break;
            case StreamCommandKind.Next when CallerAt(command) is { State: "idle" } caller:
                caller.State = "waits";
                break;
            case StreamCommandKind.Leave when CallerAt(command) is { State: "idle" or "waits" } caller:
                Leave(caller);
                break;
            case StreamCommandKind.Yield when RunAt(command) is { } run:
                run.Items++;
                break;
            case StreamCommandKind.End when RunAt(command) is { } run:
                (run.End, run.IsCurrent) = ("ended", false);
                break;
            case StreamCommandKind.Fail when RunAt(command) is { } run:
                (run.End, run.IsCurrent) = ("failed", false);
                break;
            case StreamCommandKind.Forget:
                foreach (var run in _runs) run.IsCurrent = false;
                break;
        }

        foreach (var caller in _callers.Where(static caller => caller.State == "waits")) Serve(caller);
    }

    public string Describe() =>
        $"{_runs.Count} runs, cancelled: {string.Join(",", _runs.Select(static run => run.End == "cancelled"))}, "
        + $"{_runs.Count(static run => run.IsAirborne)} in flight, {_callers.Count(static caller => caller is { HasLeft: false, Run.IsAirborne: true })} subscribers; "
        + string.Join("; ", _callers.Select(static caller => $"{caller.State} {(caller.Read > 0 ? $"{caller.Run.Number}" : "?")}:{caller.Read}"));

    private Caller? CallerAt(StreamCommand command) => command.Index < _callers.Count ? _callers[command.Index] : null;

    private Run? RunAt(StreamCommand command) => command.Index < _runs.Count && _runs[command.Index].IsAirborne ? _runs[command.Index] : null;

    private void Call()
    {
        if (_runs.Find(static run => run.IsCurrent) is not { } run) _runs.Add(run = new Run(_runs.Count));
        _callers.Add(new Caller(run));
    }

    private void Leave(Caller caller)
    {
        (caller.State, caller.HasLeft) = ("left", true);
        var run = caller.Run;
        if (run.IsAirborne && _callers.TrueForAll(other => other.HasLeft || other.Run != run)) (run.End, run.IsCurrent) = ("cancelled", false);
    }

    private static void Serve(Caller caller)
    {
        if (caller.Read < caller.Run.Items) (caller.Read, caller.State) = (caller.Read + 1, "idle");
        else if (caller.Run.End.Length > 0) caller.State = caller.Run.End;
    }

    private sealed class Run(int number)
    {
        public int Number { get; } = number;

        public int Items { get; set; }

        public string End { get; set; } = "";

        public bool IsCurrent { get; set; } = true;

        public bool IsAirborne => End.Length == 0;
    }

    private sealed class Caller(Run run)
    {
        public Run Run { get; } = run;

        public int Read { get; set; }

        public string State { get; set; } = "waits";

        public bool HasLeft { get; set; }
    }
}

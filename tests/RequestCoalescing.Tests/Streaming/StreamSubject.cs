namespace RequestCoalescing.Tests.Streaming;

/// <summary>The real stream as the model describes it. An item is its run's number times 1,000, plus its place.</summary>
internal sealed class StreamSubject
{
    private readonly Singleflight _singleflight = new();
    private readonly StreamBackend<int> _backend = new();
    private readonly List<StreamRun<int>> _runs = [];
    private readonly List<int> _yielded = [];
    private readonly List<Caller> _callers = [];

    public void Do(StreamCommand command)
    {
        switch (command.Kind)
        {
            case StreamCommandKind.Call:
                _callers.Add(new Caller(_singleflight.ExecuteStreamAsync("key", _backend.Run)));
                for (; _runs.Count < _backend.Runs; _yielded.Add(0)) _runs.Add(_backend.NextRunAsync().GetAwaiter().GetResult());
                break;
            case StreamCommandKind.Next when CallerAt(command) is { State: "idle" } caller:
                caller.Ask();
                break;
            case StreamCommandKind.Leave when CallerAt(command) is { State: "idle" or "waits" } caller:
                caller.Leave();
                break;
            case StreamCommandKind.Yield when RunAt(command) is { } run:
                run.Yield((command.Index * 1000) + _yielded[command.Index]++);
                break;
            case StreamCommandKind.End when RunAt(command) is { } run:
                run.End();
                break;
            case StreamCommandKind.Fail when RunAt(command) is { } run:
                run.Fail(new IOException());
                break;
            case StreamCommandKind.Forget:
                _singleflight.Forget("key");
                break;
        }
    }

    public string Describe()
    {
        var stats = _singleflight.GetStats();
        return $"{_backend.Runs} runs, cancelled: {string.Join(",", _runs.Select(static run => run.Token.IsCancellationRequested))}, "
            + $"{stats.InFlightCount} in flight, {stats.TotalSubscribers} subscribers; "
            + string.Join("; ", _callers.Select(static caller => caller.Describe()));
    }

    private Caller? CallerAt(StreamCommand command) => command.Index < _callers.Count ? _callers[command.Index] : null;

    private StreamRun<int>? RunAt(StreamCommand command) => command.Index < _runs.Count ? _runs[command.Index] : null;

    private sealed class Caller
    {
        private readonly CancellationTokenSource _leave = new();
        private readonly IAsyncEnumerator<int> _items;
        private Task<bool> _next;
        private int _run = -1;
        private int _read;
        private bool _hasLeft;
        private bool _isWrong;

        public Caller(IAsyncEnumerable<int> stream)
        {
            _items = stream.GetAsyncEnumerator(_leave.Token);
            _next = _items.MoveNextAsync().AsTask();
        }

        public string State { get; private set; } = "waits";

        public void Ask()
        {
            State = "waits";
            _next = _items.MoveNextAsync().AsTask();
        }

        public void Leave()
        {
            _hasLeft = true;
            if (State == "idle") State = "left";
            _leave.Cancel();
            _next.ContinueWith(_ => _items.DisposeAsync().AsTask(), TaskScheduler.Default);
        }

        public string Describe()
        {
            if (State == "waits" && _next.IsCompleted) Take();
            return _isWrong ? "wrong item" : $"{State} {(_read > 0 ? $"{_run}" : "?")}:{_read}"; // a caller that has had no item does not know its run
        }

        private void Take()
        {
            if (_hasLeft) State = "left";
            else if (_next.IsFaulted) State = "failed";
            else if (!_next.IsCompletedSuccessfully || !_next.Result) State = _next.IsCanceled ? "cancelled" : "ended";
            else
            {
                if (_read == 0) _run = _items.Current / 1000;
                _isWrong |= _items.Current != (_run * 1000) + _read++;
                State = "idle";
            }
        }
    }
}

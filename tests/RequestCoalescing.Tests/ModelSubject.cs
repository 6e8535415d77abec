using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests;

/// <summary>A real engine that runs the model's commands and is described in the model's terms.</summary>
internal sealed class ModelSubject
{
    public const int JoinWindow = 5;
    public const int MaxDuration = 20;

    private static readonly TimeSpan s_settling = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private readonly Lock _ending = new();
    private readonly FakeTimeProvider _clock = new();
    private readonly Singleflight<int> _singleflight;
    private readonly List<TaskCompletionSource<string>> _runs = [];
    private readonly List<ValueTask<string>> _calls = [];
    private readonly List<CancellationTokenSource?> _sources = [];
    private readonly List<string?> _outcomes = [];

    public ModelSubject() => _singleflight = new Singleflight<int>(new SingleflightOptions
    {
        TimeProvider = _clock,
        JoinWindow = TimeSpan.FromSeconds(JoinWindow),
        MaxDuration = TimeSpan.FromSeconds(MaxDuration),
    });

    public void Do(Command command)
    {
        switch (command.Kind)
        {
            case CommandKind.Call:
                // One step, so that a command that names a run or a caller finds both, or neither.
                lock (_lock)
                {
                    var source = command.Leaves ? new CancellationTokenSource() : null;
                    _calls.Add(_singleflight.ExecuteAsync(command.Number, _ => StartRun(), source?.Token ?? default));
                    _sources.Add(source);
                    _outcomes.Add(null);
                }

                break;
            case CommandKind.Cancel:
                SourceOf(command)?.Cancel();
                break;
            case CommandKind.Succeed:
                End(command, run => run.TrySetResult($"value {command.Number}"));
                break;
            case CommandKind.Fail:
                End(command, run => run.TrySetException(new InvalidDataException($"failure {command.Number}")));
                break;
            case CommandKind.EndCancelled:
                End(command, run => run.TrySetCanceled());
                break;
            case CommandKind.Forget:
                _singleflight.Forget(command.Number);
                break;
            case CommandKind.Clear:
                _singleflight.Clear();
                break;
            case CommandKind.Wait:
                _clock.Advance(TimeSpan.FromSeconds(command.Number));
                break;
        }
    }

    public string Describe()
    {
        var stats = _singleflight.GetStats();
        Assert.Equal(_calls.Count, stats.Calls);
        for (var call = 0; call < _calls.Count; call++) _outcomes[call] ??= OutcomeOf(_calls[call], _sources[call]?.Token);
        return Join(
            _outcomes.Select(outcome => outcome ?? "waits"),
            RunCount(),
            stats.Coalesced,
            stats.InFlightCount,
            stats.TotalSubscribers,
            stats.TimedOut,
            stats.AbandonedCount);
    }

    /// <summary>The state that must match the model's for at least one order of the commands.</summary>
    public string DescribeTotals()
    {
        // Another thread may complete the callers of a landed flight, so this waits until all of them have completed.
        SpinWait.SpinUntil(() => _singleflight.GetStats().TotalSubscribers == _calls.Count(call => !call.IsCompleted), s_settling);
        return $"{_singleflight.GetStats() with { OldestCallAge = null }}, {_runs.Count} runs, {_calls.Count(call => call.IsCompleted)} done";
    }

    public static string Join(IEnumerable<string> callers, long flights, long coalesced, long inFlight, long subscribers, long timedOut, long abandoned) =>
        $"[{string.Join(", ", callers)}], {flights} flights, {coalesced} coalesced, {inFlight} in flight, {subscribers} subscribers, {timedOut} timed out, {abandoned} abandoned";

    private static string? OutcomeOf(ValueTask<string> call, CancellationToken? token)
    {
        if (!call.IsCompleted) return null;
        try
        {
            return call.GetAwaiter().GetResult();
        }
        catch (InvalidDataException failure)
        {
            return failure.Message;
        }
        catch (FlightTimeoutException)
        {
            return "timeout";
        }
        catch (OperationCanceledException cancellation)
        {
            return cancellation.CancellationToken == token ? "left" : "cancelled";
        }
    }

    // This waits until the flight has landed. If the engine is just subscribing to the run, the landing happens on the thread pool.
    private void End(Command command, Action<TaskCompletionSource<string>> end)
    {
        if (RunOf(command) is not { } run) return;
        lock (_ending)
        {
            end(run);
            SpinWait.SpinUntil(() => _singleflight.GetStats().InFlightCount <= IncompleteRunCount(), s_settling);
        }
    }

    private int IncompleteRunCount()
    {
        lock (_lock) return _runs.Count(run => !run.Task.IsCompleted);
    }

    private int RunCount()
    {
        lock (_lock) return _runs.Count;
    }

    // Completes inline, so that a command has had all its effects when it returns.
    private ValueTask<string> StartRun()
    {
        var run = new TaskCompletionSource<string>();
        lock (_lock) _runs.Add(run);
        return new ValueTask<string>(run.Task);
    }

    private CancellationTokenSource? SourceOf(Command command)
    {
        lock (_lock) return command.Number < _sources.Count ? _sources[command.Number] : null;
    }

    private TaskCompletionSource<string>? RunOf(Command command)
    {
        lock (_lock) return command.Number < _runs.Count ? _runs[command.Number] : null;
    }
}

using System.Diagnostics;

namespace RequestCoalescing.Benchmarks.Soak;

/// <summary>One of the callers. It makes a few calls at a time, and awaits all of them.</summary>
public sealed class SoakCaller(Singleflight<int> singleflight, History history, int seed)
{
    private readonly Random _random = new(seed);
    private readonly List<Task> _calls = [];

    public async Task RunAsync(long until)
    {
        while (Stopwatch.GetTimestamp() < until)
        {
            for (var calls = _random.Next(1, 20); calls > 0; calls--) _calls.Add(ActAsync());
            await Task.WhenAll(_calls);
            _calls.Clear();
        }
    }

    private Task ActAsync()
    {
        // Half of the calls are for one hot key.
        var key = _random.Next(2) == 0 ? 0 : _random.Next(SoakRun.Keys);
        switch (_random.Next(1_000))
        {
            case < 20:
                var last = history.LastRun;
                singleflight.Forget(key);
                history.Forgotten(key, last);
                return Task.CompletedTask;
            case 20:
                var lastOfAll = history.LastRun;
                singleflight.Clear();
                for (var each = 0; each < SoakRun.Keys; each++) history.Forgotten(each, lastOfAll);
                return Task.CompletedTask;
            case < 25:
                var stats = singleflight.GetStats();
                if (stats.TotalSubscribers < 0 || stats.InFlightCount < 0) history.Fault($"Statistics below zero: {stats}");
                return Task.CompletedTask;
            case < 400:
                return CallAsync(key, null, default);
            case < 700:
                return CallAsync(key, new CancellationTokenSource(), default);
            default:
                return CallAsync(key, new CancellationTokenSource(), TimeSpan.FromMilliseconds(_random.Next(4)));
        }
    }

    private async Task CallAsync(int key, CancellationTokenSource? source, TimeSpan? leavesAfter)
    {
        var token = source?.Token ?? default;
        var kind = _random.Next(1_000);
        var line = history.BeginCall(key);
        try
        {
            var call = singleflight.ExecuteAsync(key, flight => RunAsync(key, kind, flight, token), token);
            if (leavesAfter is { } after && after > TimeSpan.Zero) source!.CancelAfter(after);
            else if (leavesAfter is not null && _random.Next(2) == 0) source!.Cancel();
            history.GotValue(key, await call, line);
        }
        catch (InvalidDataException)
        {
            history.GotFailure();
        }
        catch (FlightTimeoutException)
        {
            history.TimedOut();
        }
        catch (OperationCanceledException exception) when (token.IsCancellationRequested && exception.CancellationToken == token)
        {
            history.HasLeft();
        }
        catch (OperationCanceledException)
        {
            history.GotFailure(); // after three elections, the cancellation of a captured token is the outcome
        }
        catch (Exception exception)
        {
            history.Fault($"A caller got {exception}");
        }
        finally
        {
            source?.Dispose();
        }
    }

    private async ValueTask<(int Key, long Run)> RunAsync(int key, int kind, CancellationToken flight, CancellationToken captured)
    {
        var run = history.BeginRun();
        if (kind >= 400) await Task.Yield();
        if (kind >= 800) await Task.Delay(kind % 3, flight);
        if (kind is >= 900 and < 940) throw new InvalidDataException();
        if (kind is >= 940 and < 996) await Task.Delay(5, captured); // the mistake
        if (kind is 996 or 997) await Task.Delay(1_000, flight);
        if (kind >= 998) await Task.Delay(100, CancellationToken.None); // ignores its token
        return (key, run);
    }
}

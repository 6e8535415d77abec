using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests.Batching;

/// <summary>A real loader that runs the model's commands and is described in the model's terms.</summary>
internal sealed class BatchSubject
{
    private readonly Lock _lock = new();
    private readonly FakeTimeProvider _clock = new();
    private readonly BatchLoader<int, string> _loader;
    private readonly List<(int[] Keys, CancellationToken Token, TaskCompletionSource<IReadOnlyDictionary<int, string>> End)> _batches = [];
    private readonly List<(Task<BatchOutcome<string>> Load, CancellationTokenSource? Source)> _callers = [];

    public BatchSubject(int window, int size, int concurrent) => _loader = new BatchLoader<int, string>(
        LoadAsync,
        new BatchLoaderOptions { Window = TimeSpan.FromSeconds(window), MaxBatchSize = size, MaxConcurrentBatches = concurrent, TimeProvider = _clock },
        new Singleflight<int>(new SingleflightOptions { MaxDuration = TimeSpan.FromDays(1), TimeProvider = _clock, IsReported = false }));

    public void Do(BatchCommand command)
    {
        switch (command.Kind)
        {
            case BatchCommandKind.Load:
                var source = command.Leaves ? new CancellationTokenSource() : null;
                _callers.Add((_loader.TryLoadAsync(command.Number, source?.Token ?? default), source));
                break;
            case BatchCommandKind.Leave when command.Number < _callers.Count:
                _callers[command.Number].Source?.Cancel();
                break;
            case BatchCommandKind.Wait:
                _clock.Advance(TimeSpan.FromSeconds(command.Number));
                break;
            case BatchCommandKind.Forget:
                _loader.Singleflight.Forget(command.Number);
                break;
            case BatchCommandKind.Succeed when Batch(command.Number) is { } batch:
                batch.End.TrySetResult(batch.Keys.Where(key => key % 2 == 0).ToDictionary(key => key, key => BatchModel.OutcomeOf(key, command.Number)));
                break;
            case BatchCommandKind.Fail when Batch(command.Number) is { } batch:
                batch.End.TrySetException(new InvalidDataException($"failure {command.Number}"));
                break;
        }
    }

    public string Describe()
    {
        var stats = _loader.GetStats();
        string[] batches;
        lock (_lock) batches = [.. _batches.Select(batch => $"{string.Join('+', batch.Keys)}{(batch.Token.IsCancellationRequested ? " cancelled" : "")}")];
        return BatchModel.Join(_callers.Select(caller => OutcomeOf(caller.Load, caller.Source?.Token)), batches, stats.Pending, stats.Running, stats.LeftOut);
    }

    private static string OutcomeOf(Task<BatchOutcome<string>> load, CancellationToken? token)
    {
        if (!load.IsCompleted) return "waits";
        if (load.IsCompletedSuccessfully) return load.Result.IsFound ? load.Result.Value! : "missing";
        try
        {
            load.GetAwaiter().GetResult();
            return "";
        }
        catch (OperationCanceledException cancellation)
        {
            return cancellation.CancellationToken == token ? "left" : "cancelled";
        }
        catch (InvalidDataException failure)
        {
            return failure.Message;
        }
    }

    private (int[] Keys, CancellationToken Token, TaskCompletionSource<IReadOnlyDictionary<int, string>> End)? Batch(int number)
    {
        lock (_lock) return number < _batches.Count ? _batches[number] : null;
    }

    private Task<IReadOnlyDictionary<int, string>> LoadAsync(IReadOnlyList<int> keys, CancellationToken token)
    {
        var end = new TaskCompletionSource<IReadOnlyDictionary<int, string>>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock) _batches.Add(([.. keys], token, end));
        return end.Task;
    }
}

// Proof that the library runs natively compiled: published with PublishAot, where a warning is an error, and run.
using RequestCoalescing;

var runs = 0;
var work = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
await using var singleflight = new Singleflight<(string Post, int Limit)>(new SingleflightOptions { MaxSubscribers = 1_000 });
using var aborted = new CancellationTokenSource();

var leaving = singleflight.ExecuteAsync(("viral", 10), RunAsync, aborted.Token).AsTask();
var staying = Enumerable.Range(0, 999).Select(_ => singleflight.ExecuteAsync(("viral", 10), RunAsync).AsTask()).ToArray();
await aborted.CancelAsync();
try
{
    await leaving;
    return Fail("a caller whose token fired did not leave");
}
catch (OperationCanceledException exception) when (exception.CancellationToken == aborted.Token)
{
    // As promised.
}

work.SetResult(42);
if ((await Task.WhenAll(staying)).Any(result => result != 42) || runs != 1) return Fail("999 callers did not share one run");

try
{
    await singleflight.ExecuteAsync(("a", 1), async _ =>
    {
        await Task.Yield();
        return await singleflight.ExecuteAsync(("a", 1), static _ => ValueTask.FromResult(0));
    });
    return Fail("a deadlock was not told");
}
catch (FlightDeadlockException)
{
    // As promised.
}

Console.WriteLine($"{singleflight.GetStats()}");
return 0;

Task<int> RunAsync(CancellationToken cancellationToken)
{
    Interlocked.Increment(ref runs);
    return work.Task;
}

static int Fail(string what)
{
    Console.Error.WriteLine($"The natively compiled library failed: {what}.");
    return 1;
}

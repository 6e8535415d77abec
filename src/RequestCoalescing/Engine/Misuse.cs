using System.Threading.Tasks.Sources;

namespace RequestCoalescing.Engine;

/// <summary>Two awaits of one <see cref="ValueTask{TResult}"/>.</summary>
internal static class Misuse
{
    public static InvalidOperationException Error() =>
        new("The ValueTask was awaited twice, or its result was read before it was there. A ValueTask is awaited once; call AsTask() to await it more often.");

    /// <summary>
    /// Lets the second one that awaits go on, as it has asked for: it is told by <c>GetResult</c>. If <c>OnCompleted</c> threw, the framework would
    /// end the process.
    /// </summary>
    public static void Resume(Action<object?> continuation, object? state, ValueTaskSourceOnCompletedFlags flags)
    {
        var over = new ManualResetValueTaskSourceCore<bool>();
        over.SetResult(true);
        over.OnCompleted(continuation, state, over.Version, flags);
    }
}

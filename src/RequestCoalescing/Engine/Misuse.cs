using System.Threading.Tasks.Sources;

namespace RequestCoalescing.Engine;

/// <summary>Handles two awaits of one <see cref="ValueTask{TResult}"/>.</summary>
internal static class Misuse
{
    public static InvalidOperationException Error() =>
        new("The ValueTask was awaited twice, or its result was read before the call completed. Await a ValueTask once, or call AsTask() and await the task as often as you like.");

    /// <summary>
    /// Resumes the second awaiter, which then gets the error from <c>GetResult</c>. If <c>OnCompleted</c> threw, the framework would end the process.
    /// </summary>
    public static void Resume(Action<object?> continuation, object? state, ValueTaskSourceOnCompletedFlags flags)
    {
        var over = new ManualResetValueTaskSourceCore<bool>();
        over.SetResult(true);
        try
        {
            over.OnCompleted(continuation, state, over.Version, flags);
        }
        catch (Exception)
        {
            // A synchronization context that accepts no more work loses its caller.
        }
    }
}

using System.Runtime.CompilerServices;

namespace RequestCoalescing;

/// <summary>Checks that no failed task is left unobserved.</summary>
public static class Unobserved
{
    /// <summary>Runs an action, and fails if it leaves a failed task behind that no code has observed.</summary>
    /// <param name="act">The action. Its tasks must be unreachable when it has completed.</param>
    /// <param name="isOurs">Whether a failure comes from this test and not from one that runs at the same time.</param>
    public static async Task AssertNoneAsync(Func<Task> act, Func<Exception, bool> isOurs)
    {
        var unobserved = new List<Exception>();
        void Note(object? sender, UnobservedTaskExceptionEventArgs args)
        {
            lock (unobserved) unobserved.AddRange(args.Exception.InnerExceptions.Where(isOurs));
        }

        TaskScheduler.UnobservedTaskException += Note;
        try
        {
            await RunAsync(act);
            for (var i = 0; i < 5; i++)
            {
                await Task.Yield();
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }

            lock (unobserved) Assert.Empty(unobserved);
        }
        finally
        {
            TaskScheduler.UnobservedTaskException -= Note;
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        static async Task RunAsync(Func<Task> act) => await act();
    }
}

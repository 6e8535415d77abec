using System.Runtime.CompilerServices;

namespace RequestCoalescing.Contract;

/// <summary>Failures of tasks that nobody has looked at.</summary>
public static class Unobserved
{
    /// <summary>Runs something, and fails if it leaves a task behind whose failure nobody has observed.</summary>
    /// <param name="act">Runs it. Its tasks must be out of reach when this has completed.</param>
    /// <param name="isOurs">Tells the failures of this test from those of tests that run beside it.</param>
    public static async Task IsNothingOfAsync(Func<Task> act, Func<Exception, bool> isOurs)
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

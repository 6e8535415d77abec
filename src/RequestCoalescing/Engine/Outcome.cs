using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Threading.Tasks.Sources;

namespace RequestCoalescing.Engine;

/// <summary>
/// Outcomes are tasks: the task of the work, or a failure that counts as observed even if no subscriber is left. If no callers share
/// a task, the error of an expired flight goes to its subscribers as an <see cref="ExceptionDispatchInfo"/>, which makes half the garbage. The error of a deadlock goes to its caller in the same way.
/// </summary>
internal static class Outcome
{
    public static Task<TResult> Failed<TResult>(Exception exception)
    {
        var outcome = Task.FromException<TResult>(exception);
        Observe(outcome);
        return outcome;
    }

    /// <summary>The result of an outcome, for a subscriber.</summary>
    public static TResult ResultOf<TResult>(object outcome)
    {
        if (outcome is ExceptionDispatchInfo error) error.Throw();
        return Unsafe.As<Task<TResult>>(outcome).GetAwaiter().GetResult();
    }

    public static ValueTaskSourceStatus StatusOf(object outcome) =>
        outcome is Task { IsCompletedSuccessfully: true } ? ValueTaskSourceStatus.Succeeded
        : outcome is Task { IsCanceled: true } ? ValueTaskSourceStatus.Canceled
        : ValueTaskSourceStatus.Faulted;

    /// <summary>Does the same as <see cref="Observe"/>. In addition, a task with several errors becomes one with the first, which every await throws.</summary>
    public static Task<TResult> Observed<TResult>(Task<TResult> outcome) =>
        outcome.Exception is { InnerExceptions.Count: > 1 } errors ? Failed<TResult>(errors.InnerExceptions[0]) : outcome;

    /// <summary>Marks a failure as seen, so that it raises no unobserved-task event when no subscriber is left.</summary>
    /// <param name="outcome">A task that has ended.</param>
    public static void Observe(Task outcome) => outcome.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing).GetAwaiter().GetResult(); // unlike outcome.Exception, it makes no object

    /// <summary>Does the same as <see cref="Observe"/> for a task that may not have ended yet.</summary>
    /// <returns>The task.</returns>
    public static TTask ObserveAtEnd<TTask>(TTask outcome)
        where TTask : Task
    {
        outcome.ContinueWith(
            static outcome => outcome.Exception,
            CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
        return outcome;
    }

    /// <summary>What a subscriber of a failed or cancelled outcome will see thrown.</summary>
    public static Exception ErrorOf(object outcome)
    {
        if (outcome is ExceptionDispatchInfo error) return error.SourceException;
        var task = (Task)outcome;
        if (task.Exception?.InnerException is { } failure) return failure;
        try
        {
            task.GetAwaiter().GetResult(); // a cancelled task has no other way to show its exception
            throw new UnreachableException();
        }
        catch (OperationCanceledException cancelled)
        {
            return cancelled;
        }
    }

    /// <summary>Whether the work ended cancelled, however it put it.</summary>
    public static bool IsCancelled(Task outcome) => outcome.IsCanceled || outcome.Exception?.InnerException is OperationCanceledException;
}

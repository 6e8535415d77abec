namespace RequestCoalescing.Engine;

/// <summary>Outcomes are tasks: what the work made, or a failure that nobody has to be there to see.</summary>
internal static class Outcome
{
    public static Task<TResult> Failed<TResult>(Exception exception) => Observed(Task.FromException<TResult>(exception));

    public static ValueTask<TResult> Rejected<TResult>(FlightRejectionReason reason, int limit) =>
        new(Failed<TResult>(new FlightRejectedException(reason, limit)));

    /// <summary>Marks a failure as seen, so that it raises no unobserved-task event when no subscriber is left.</summary>
    public static Task<TResult> Observed<TResult>(Task<TResult> outcome)
    {
        _ = outcome.Exception;
        return outcome;
    }

    /// <summary>Whether the work ended cancelled, however it put it.</summary>
    public static bool IsCancelled(Task outcome) => outcome.IsCanceled || outcome.Exception?.InnerException is OperationCanceledException;
}

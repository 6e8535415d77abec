namespace RequestCoalescing.Contract;

internal static class OutsiderExtensions
{
    /// <summary>Awaits a call from outside the work that made it, after something else has come about.</summary>
    public static async Task<Task<T>> AsOutsiderAsync<T>(this ValueTask<T> call, Func<Task> first)
    {
        await first();
        return call.AsTask();
    }
}

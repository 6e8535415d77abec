using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests.Hosting;

/// <summary>Disposes of services whose shutdown waits by a clock that a test sets.</summary>
internal static class ClockedDisposal
{
    public static async ValueTask DisposeAsync(this IAsyncDisposable services, FakeTimeProvider clock)
    {
        var disposal = services.DisposeAsync();
        while (!disposal.IsCompleted)
        {
            clock.Advance(TimeSpan.FromDays(1));
            await Task.Yield();
        }

        await disposal;
    }
}

using Microsoft.Extensions.Internal;

namespace RequestCoalescing.Shared;

/// <summary>The clock of a memory cache that follows a <see cref="TimeProvider"/>.</summary>
internal sealed class CacheClock(TimeProvider clock) : ISystemClock
{
    public DateTimeOffset UtcNow => clock.GetUtcNow();
}

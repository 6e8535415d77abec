using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests;

/// <summary>A clock that can be set back, like a wall clock.</summary>
internal sealed class SettableClock : FakeTimeProvider
{
    public TimeSpan Skew { get; set; }

    public override long GetTimestamp() => base.GetTimestamp() + Skew.Ticks;
}

using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests;

/// <summary>A fake clock that runs an action when it is asked for a timestamp.</summary>
internal sealed class HookedClock : FakeTimeProvider
{
    public Action? OnTimestamp { get; set; }

    public void HookOnce(Action hook) => OnTimestamp = () =>
    {
        OnTimestamp = null;
        hook();
    };

    public override long GetTimestamp()
    {
        OnTimestamp?.Invoke();
        return base.GetTimestamp();
    }
}

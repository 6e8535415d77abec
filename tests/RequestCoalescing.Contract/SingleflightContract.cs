using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Contract;

/// <summary>The laws of a flight, for every <see cref="ISingleflight"/>: a test class that inherits this proves them for its own.</summary>
public abstract partial class SingleflightContract : IAsyncLifetime
{
    /// <summary>A key; what it is does not matter.</summary>
    protected const string Key = "post:12345";

    private readonly List<ISingleflight> _created = [];

    /// <summary>The clock of what is created here.</summary>
    protected FakeTimeProvider Clock { get; } = new();

    /// <inheritdoc/>
    public virtual ValueTask InitializeAsync() => default;

    /// <inheritdoc/>
    public virtual async ValueTask DisposeAsync()
    {
        foreach (var singleflight in _created.OfType<IAsyncDisposable>())
        {
            var disposal = singleflight.DisposeAsync();
            while (!disposal.IsCompleted)
            {
                Clock.Advance(TimeSpan.FromDays(1)); // whatever still flies here was left in the air by its test
                await Task.Yield();
            }

            await disposal;
        }

        GC.SuppressFinalize(this);
    }

    /// <summary>Makes the implementation under test.</summary>
    protected abstract ISingleflight CreateSingleflight(SingleflightOptions options);

    /// <summary>Makes the implementation under test, on the test's clock.</summary>
    protected ISingleflight Create(Action<SingleflightOptions>? configure = null)
    {
        var options = new SingleflightOptions { TimeProvider = Clock };
        configure?.Invoke(options);
        var created = CreateSingleflight(options);
        _created.Add(created);
        return created;
    }

    /// <summary>So many callers of one key, of whom all wait when this completes.</summary>
    protected static async Task<Task<T>[]> WaitingCallersAsync<T>(ISingleflight singleflight, int count, Func<CancellationToken, ValueTask<T>> work)
    {
        var before = singleflight.GetStats().TotalSubscribers;
        var callers = Enumerable.Range(0, count).Select(_ => singleflight.ExecuteAsync(Key, work).AsTask()).ToArray();
        await singleflight.UntilSubscribersAsync(before + count);
        return callers;
    }
}

using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Testing;

/// <summary>
/// The contract of an <see cref="ISingleflight{TKey}"/> as tests. If you write an implementation or a decorator, derive a test class from this one
/// and override <see cref="CreateSingleflight"/>. The class then inherits more than 60 tests, and their names say which law they check.
/// </summary>
/// <remarks>
/// <para>The implementation that you create must follow the options that it is given: their limits, their <see cref="SingleflightOptions.MaxDuration"/>,
/// <see cref="SingleflightOptions.JoinWindow"/> and, above all, their <see cref="SingleflightOptions.TimeProvider"/>, because the tests move time
/// by <see cref="Clock"/>. Its <see cref="ISingleflight{TKey}.GetStats"/> must be exact, because the tests wait for a count of subscribers and
/// never sleep. A decorator passes the options on to the <see cref="Singleflight{TKey}"/> that it wraps.</para>
/// <para>If the implementation is <see cref="IAsyncDisposable"/>, the tests of disposal run and the suite disposes it. Otherwise those tests are
/// skipped.</para>
/// <para>The suite uses the attributes and assertions of xunit v3. Each test creates an object of the class, so that tests share no state.</para>
/// </remarks>
/// <example>
/// <code>
/// public sealed class CountingSingleflightTests : SingleflightContract
/// {
///     protected override ISingleflight&lt;string> CreateSingleflight(SingleflightOptions options) =>
///         new CountingSingleflight(new Singleflight(options));
/// }
/// </code>
/// </example>
public abstract partial class SingleflightContract : IAsyncLifetime
{
    /// <summary>A key for tests that need only one.</summary>
    protected const string Key = "post:12345";

    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);

    private readonly List<IAsyncDisposable> _created = [];

    /// <summary>The clock of every instance that this test creates.</summary>
    protected FakeTimeProvider Clock { get; } = new();

    /// <summary>Does nothing. Override it to start a server that the implementation needs.</summary>
    /// <returns>Completes when the test can begin.</returns>
    public virtual ValueTask InitializeAsync() => default;

    /// <summary>Disposes what the test has created. If you override it, call the base method before you dispose anything that the implementation uses.</summary>
    /// <returns>Completes when everything is disposed of.</returns>
    public virtual async ValueTask DisposeAsync()
    {
        foreach (var created in _created)
        {
            var disposal = created.DisposeAsync().AsTask();
            await Patience.UntilAsync(
                () =>
                {
                    Clock.Advance(TimeSpan.FromDays(1)); // a flight that the test left in the air expires
                    return disposal.IsCompleted;
                },
                "the implementation is disposed of").ConfigureAwait(false);
            await disposal.ConfigureAwait(false);
        }

        GC.SuppressFinalize(this);
    }

    /// <summary>Creates the implementation under test. A test may call it several times.</summary>
    /// <param name="options">The options that the implementation must follow. The clock is <see cref="Clock"/>.</param>
    /// <returns>A new instance without flights. If it is <see cref="IAsyncDisposable"/>, the suite disposes it.</returns>
    protected abstract ISingleflight<string> CreateSingleflight(SingleflightOptions options);

    /// <summary>Creates the implementation under test for a test of your own, on <see cref="Clock"/>. The suite disposes it.</summary>
    /// <param name="configure">Changes the options. Null for the defaults.</param>
    /// <returns>A new instance.</returns>
    protected ISingleflight<string> Create(Action<SingleflightOptions>? configure = null)
    {
        var options = new SingleflightOptions { TimeProvider = Clock };
        configure?.Invoke(options);
        var created = CreateSingleflight(options);
        if (created is IAsyncDisposable disposable) _created.Add(disposable);
        return created;
    }

    /// <summary>Makes calls for <see cref="Key"/>.</summary>
    /// <typeparam name="T">The type of the result.</typeparam>
    /// <param name="singleflight">The instance.</param>
    /// <param name="count">The number of calls.</param>
    /// <param name="work">The work of each call.</param>
    /// <returns>Completes when all the callers wait. Its result is the calls.</returns>
    protected static async Task<Task<T>[]> WaitingCallersAsync<T>(ISingleflight<string> singleflight, int count, Func<CancellationToken, ValueTask<T>> work)
    {
        ArgumentNullException.ThrowIfNull(singleflight);
        ArgumentNullException.ThrowIfNull(work);
        var before = singleflight.GetStats().TotalSubscribers;
        var callers = Enumerable.Range(0, count).Select(_ => singleflight.ExecuteAsync(Key, work).AsTask()).ToArray();
        await singleflight.UntilSubscribersAsync(before + count).ConfigureAwait(false);
        return callers;
    }
}

using System.Text.Json;

namespace RequestCoalescing.Tests.Batching;

/// <summary>Options are validated and copied, and the types of outcomes and statistics are what they say.</summary>
public sealed class BatchLoaderOptionsTests
{
    [Fact]
    public void Options_out_of_their_range_are_refused()
    {
        Refuses(nameof(BatchLoaderOptions.Window), options => options.Window = TimeSpan.FromTicks(-1));
        Refuses(nameof(BatchLoaderOptions.Window), options => options.Window = TimeSpan.FromMinutes(1) + TimeSpan.FromTicks(1));
        Refuses(nameof(BatchLoaderOptions.MaxBatchSize), options => options.MaxBatchSize = 0);
        Refuses(nameof(BatchLoaderOptions.MaxConcurrentBatches), options => options.MaxConcurrentBatches = 0);
        Refuses(nameof(BatchLoaderOptions.MaxPending), options => options.MaxPending = 0);
        Refuses(nameof(BatchLoaderOptions.Overflow), options => options.Overflow = (OverflowBehavior)7);
        Refuses(nameof(BatchLoaderOptions.Name), options => options.Name = " ");
        Refuses(nameof(BatchLoaderOptions.TimeProvider), options => options.TimeProvider = null!);
        Assert.Throws<ArgumentNullException>("load", () => new BatchLoader<int, string>((Func<IReadOnlyList<int>, CancellationToken, Task<IReadOnlyDictionary<int, string>>>)null!));
        Assert.Throws<ArgumentNullException>("load", () => new BatchLoader<int, string>((Func<IReadOnlyList<int>, BatchAnswer<int, string>, CancellationToken, Task>)null!));
    }

    [Fact]
    public async Task Options_are_copied()
    {
        var options = new BatchLoaderOptions { Window = TimeSpan.Zero, Name = "copied" };
        await using var loader = Create(options);
        (options.Window, options.Name) = (TimeSpan.FromMinutes(1), "changed");
        Assert.Equal(("copied", "1"), (loader.Name, await loader.LoadAsync(1).SoonAsync()));
    }

    [Fact]
    public async Task A_loader_without_a_name_has_that_of_its_engine_or_of_its_types()
    {
        await using var own = Create();
        await using var engine = new Singleflight<int>(new SingleflightOptions { Name = "authors" });
        await using var other = new BatchLoader<int, string>((_, _, _) => Task.CompletedTask, singleflight: engine);
        Assert.Equal(("BatchLoader<Int32, String>", "authors"), (own.Name, other.Name));
        Assert.Contains(SingleflightInstance.GetUnregistered(), instance => instance.Name == own.Name);
        Assert.Same(engine, other.Singleflight);
    }

    [Fact]
    public async Task A_loader_disposes_of_its_own_engine_only()
    {
        await using var engine = new Singleflight<int>();
        var own = Create();
        var other = new BatchLoader<int, string>((_, _, _) => Task.CompletedTask, singleflight: engine);
        await own.DisposeAsync();
        await other.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await own.Singleflight.ExecuteAsync(1, static _ => ValueTask.FromResult(1)));
        Assert.Equal(1, await engine.ExecuteAsync(1, static _ => ValueTask.FromResult(1)));

        var synchronous = Create();
        synchronous.Dispose();
        await synchronous.LoadAsync(1).ThrowsAsync<ObjectDisposedException>();
    }

    [Fact]
    public void An_outcome_survives_its_way_through_json_without_its_error()
    {
        var found = new BatchOutcome<int> { IsFound = true, Value = 7 };
        Assert.Equal(found, JsonSerializer.Deserialize<BatchOutcome<int>>(JsonSerializer.Serialize(found)));
        Assert.Equal(default, JsonSerializer.Deserialize<BatchOutcome<int>>(JsonSerializer.Serialize(default(BatchOutcome<int>))));
        Assert.DoesNotContain("secret", JsonSerializer.Serialize(new BatchOutcome<int> { Error = new InvalidDataException("secret") }), StringComparison.Ordinal);
    }

    private static BatchLoader<int, string> Create(BatchLoaderOptions? options = null) => new(
        (keys, answer, _) =>
        {
            foreach (var key in keys) answer.Set(key, $"{key}");
            return Task.CompletedTask;
        },
        options);

    private static void Refuses(string option, Action<BatchLoaderOptions> change)
    {
        var options = new BatchLoaderOptions();
        change(options);
        Assert.Equal(option, Assert.ThrowsAny<ArgumentException>(() => Create(options)).ParamName);
    }
}

namespace RequestCoalescing.Docs.Cookbook;

// <snippet cookbook-flags>
public sealed class FlagSource(IFlagService service)
{
    private readonly Singleflight _flights = new(new SingleflightOptions
    {
        Name = "flags",
        MaxDuration = TimeSpan.FromSeconds(2),
        JoinWindow = TimeSpan.FromSeconds(1), // no caller joins a fetch that began longer ago
    });

    private volatile Flags _lastKnown = Flags.Defaults;

    public async ValueTask<Flags> GetAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await _flights.ExecuteAsync("flags", async flight => _lastKnown = await service.FetchAsync(flight), cancellationToken);
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            return _lastKnown; // the flight has failed, was rejected or has timed out; the next call tries again
        }
    }
}
// </snippet>

public sealed record Flags(bool DarkMode)
{
    public static readonly Flags Defaults = new(false);
}

public interface IFlagService
{
    Task<Flags> FetchAsync(CancellationToken cancellationToken);
}

public sealed class FlagsRecipe : IFlagService
{
    private readonly Backend<Flags> _backend = new();

    [Fact]
    public async Task A_failure_falls_back_to_the_last_flags_and_the_next_call_asks_again()
    {
        var flags = new FlagSource(this);
        var first = flags.GetAsync(default).AsTask();
        (await _backend.NextRunAsync()).Succeed(new Flags(true));
        Assert.True((await first.SoonAsync()).DarkMode);

        var callers = Enumerable.Range(0, 10).Select(_ => flags.GetAsync(default).AsTask()).ToArray();
        (await _backend.NextRunAsync()).Fail(new HttpRequestException("down"));
        Assert.All(await Task.WhenAll(callers).SoonAsync(), each => Assert.True(each.DarkMode));

        var later = flags.GetAsync(default).AsTask();
        (await _backend.NextRunAsync()).Succeed(new Flags(false));
        Assert.False((await later.SoonAsync()).DarkMode);
        Assert.Equal(3, _backend.Runs);
    }

    Task<Flags> IFlagService.FetchAsync(CancellationToken cancellationToken) => _backend.RunAsync(cancellationToken).AsTask();
}

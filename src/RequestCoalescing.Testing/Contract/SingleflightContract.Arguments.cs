namespace RequestCoalescing.Testing;

// Misuse throws at the call and not at its await.
public abstract partial class SingleflightContract
{
    [Fact]
    public void Null_arguments_throw_at_the_call()
    {
        var singleflight = Create();
        Func<CancellationToken, ValueTask<int>> valueTask = _ => default;
        Func<CancellationToken, Task<int>> task = _ => Task.FromResult(0);
        Func<int, FlightContext, ValueTask<int>> withState = (_, _) => default;

        Assert.Equal("key", Assert.Throws<ArgumentNullException>(() => { _ = singleflight.ExecuteAsync(null!, valueTask); }).ParamName);
        Assert.Equal("key", Assert.Throws<ArgumentNullException>(() => { _ = singleflight.ExecuteAsync(null!, task); }).ParamName);
        Assert.Equal("key", Assert.Throws<ArgumentNullException>(() => { _ = singleflight.ExecuteAsync(null!, 0, withState); }).ParamName);
        valueTask = null!;
        task = null!;
        withState = null!;
        Assert.Equal("work", Assert.Throws<ArgumentNullException>(() => { _ = singleflight.ExecuteAsync(Key, valueTask); }).ParamName);
        Assert.Equal("work", Assert.Throws<ArgumentNullException>(() => { _ = singleflight.ExecuteAsync(Key, task); }).ParamName);
        Assert.Equal("work", Assert.Throws<ArgumentNullException>(() => { _ = singleflight.ExecuteAsync(Key, 0, withState); }).ParamName);
        Assert.Equal("key", Assert.Throws<ArgumentNullException>(() => singleflight.Forget(null!)).ParamName);
        Assert.Equal(default, singleflight.GetStats());
    }
}

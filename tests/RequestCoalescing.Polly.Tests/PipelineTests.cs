using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Time.Testing;
using Polly;
using Polly.CircuitBreaker;
using Polly.Hedging;
using Polly.RateLimiting;
using Polly.Retry;
using Polly.Telemetry;
using Polly.Timeout;

namespace RequestCoalescing.Polly.Tests;

/// <summary>The strategy in pipelines with Polly's own strategies, for which the singleflight is the outermost.</summary>
public sealed class PipelineTests
{
    private const string Key = "weather:berlin";

    private readonly FakeTimeProvider _clock = new();
    private readonly Singleflight _singleflight = new();
    private readonly Backend<int> _backend = new();
    private readonly Events _events = new();

    [Fact]
    public async Task Executions_with_one_key_share_one_run()
    {
        var pipeline = Builder().AddSingleflight(_singleflight).Build();
        var calls = Enumerable.Range(0, 5).Select(_ => ExecuteAsync(pipeline)).ToArray();
        (await _backend.NextRunAsync()).Succeed(7);
        Assert.All(await Task.WhenAll(calls).SoonAsync(), result => Assert.Equal(7, result));
        Assert.Equal(1, _backend.Runs);
        Assert.Equal(4, _events.Names.Count(static name => name == "SingleflightJoined"));
    }

    [Fact]
    public async Task The_leader_leaves_and_its_context_is_used_again_while_the_others_wait()
    {
        var pipeline = Builder().AddSingleflight(_singleflight).Build();
        using var leaves = new CancellationTokenSource();
        var leader = ExecuteAsync(pipeline, token: leaves.Token);
        var run = await _backend.NextRunAsync();
        var follower = ExecuteAsync(pipeline);
        await leaves.CancelAsync();
        await leader.ThrowsAsync<OperationCanceledException>();
        for (var i = 0; i < 10; i++) Assert.Equal(i, await ExecuteAsync(pipeline, key: $"other{i}", work: _ => ValueTask.FromResult(i)).SoonAsync());
        Assert.False(run.Token.IsCancellationRequested);
        run.Succeed(7);
        Assert.Equal(7, await follower.SoonAsync());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    public async Task An_execution_without_a_key_runs_alone_and_this_is_reported_once(string? key)
    {
        var pipeline = Builder().AddSingleflight(_singleflight).Build();
        var calls = Enumerable.Range(0, 3).Select(_ => ExecuteAsync(pipeline, key)).ToArray();
        for (var i = 0; i < 3; i++) (await _backend.NextRunAsync()).Succeed(i);
        Assert.Equal([0, 1, 2], (await Task.WhenAll(calls).SoonAsync()).Order());
        Assert.Equal(["SingleflightWithoutKey"], _events.Names);
    }

    [Fact]
    public async Task A_key_generator_chooses_the_key_and_properties_are_copied_into_the_run()
    {
        var tenant = new ResiliencePropertyKey<string>("tenant");
        var seen = new List<string>();
        var pipeline = Builder().AddSingleflight(new SingleflightStrategyOptions
        {
            Singleflight = _singleflight,
            KeyGenerator = context => context.Properties.GetValue(tenant, ""),
            CopyProperties = (from, to) => to.Properties.Set(tenant, from.Properties.GetValue(tenant, "")),
        }).Build();
        foreach (var name in new[] { "a", "b" })
        {
            var context = ResilienceContextPool.Shared.Get();
            context.Properties.Set(tenant, name);
            await pipeline.ExecuteAsync(
                inner =>
                {
                    seen.Add(inner.Properties.GetValue(tenant, ""));
                    return ValueTask.FromResult(1);
                },
                context);
            ResilienceContextPool.Shared.Return(context);
        }

        Assert.Equal(["a", "b"], seen);
        Assert.Equal(2, _singleflight.GetStats().Flights);
    }

    [Fact]
    public async Task A_retry_inside_retries_one_run_for_all()
    {
        var pipeline = Builder().AddSingleflight(_singleflight).AddRetry(Retry()).Build();
        var calls = Enumerable.Range(0, 5).Select(_ => ExecuteAsync(pipeline)).ToArray();
        for (var attempt = 0; attempt < 2; attempt++) (await _backend.NextRunAsync()).Fail(new InvalidDataException());
        (await _backend.NextRunAsync()).Succeed(7);
        Assert.All(await Task.WhenAll(calls).SoonAsync(), result => Assert.Equal(7, result));
        Assert.Equal(3, _backend.Runs);
        Assert.DoesNotContain("SingleflightRepeated", _events.Names);
    }

    [Fact]
    public async Task A_retry_outside_is_reported_once()
    {
        var pipeline = Builder().AddRetry(Retry()).AddSingleflight(_singleflight).Build();
        for (var call = 0; call < 2; call++)
        {
            var execution = ExecuteAsync(pipeline);
            (await _backend.NextRunAsync()).Fail(new InvalidDataException());
            (await _backend.NextRunAsync()).Succeed(7);
            Assert.Equal(7, await execution.SoonAsync());
        }

        Assert.Single(_events.Names, static name => name == "SingleflightRepeated");
    }

    [Fact]
    public async Task A_persistent_failure_counts_once_for_all_in_a_circuit_breaker_inside()
    {
        var pipeline = Builder().AddSingleflight(_singleflight).AddCircuitBreaker(new CircuitBreakerStrategyOptions<int> { MinimumThroughput = 2, FailureRatio = 1 }).Build();
        for (var burst = 0; burst < 2; burst++)
        {
            var calls = Enumerable.Range(0, 5).Select(_ => ExecuteAsync(pipeline)).ToArray();
            (await _backend.NextRunAsync()).Fail(new InvalidDataException());
            foreach (var call in calls) await call.ThrowsAsync<InvalidDataException>();
        }

        await ExecuteAsync(pipeline).ThrowsAsync<BrokenCircuitException>();
        Assert.Equal(2, _backend.Runs);
    }

    [Fact]
    public async Task A_timeout_inside_ends_one_run_for_all()
    {
        var pipeline = Builder().AddSingleflight(_singleflight).AddTimeout(TimeSpan.FromSeconds(2)).Build();
        var calls = Enumerable.Range(0, 5).Select(_ => ExecuteAsync(pipeline)).ToArray();
        var run = await _backend.NextRunAsync();
        _clock.Advance(TimeSpan.FromSeconds(3));
        foreach (var call in calls) await call.ThrowsAsync<TimeoutRejectedException>();
        await run.CancelledAsync();
        Assert.Equal(1, _backend.Runs);
    }

    [Fact]
    public async Task A_hedging_inside_starts_a_second_run_for_all_when_the_first_is_slow()
    {
        var pipeline = Builder().AddSingleflight(_singleflight).AddHedging(new HedgingStrategyOptions<int> { Delay = TimeSpan.FromSeconds(1), MaxHedgedAttempts = 1 }).Build();
        var calls = Enumerable.Range(0, 5).Select(_ => ExecuteAsync(pipeline)).ToArray();
        await _backend.NextRunAsync();
        _clock.Advance(TimeSpan.FromSeconds(1));
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.All(await Task.WhenAll(calls).SoonAsync(), result => Assert.Equal(2, result));
        Assert.Equal(2, _backend.Runs);
    }

    [Fact]
    public async Task A_rate_limiter_inside_is_asked_once_for_all()
    {
        var pipeline = Builder().AddSingleflight(_singleflight).AddConcurrencyLimiter(permitLimit: 1).Build();
        var calls = Enumerable.Range(0, 5).Select(_ => ExecuteAsync(pipeline)).ToArray();
        var run = await _backend.NextRunAsync();
        await ExecuteAsync(pipeline, key: "other").ThrowsAsync<RateLimiterRejectedException>();
        run.Succeed(7);
        Assert.All(await Task.WhenAll(calls).SoonAsync(), result => Assert.Equal(7, result));
    }

    [Fact]
    public void A_pipeline_without_a_singleflight_or_a_key_generator_is_refused()
    {
        Assert.Throws<ValidationException>(() => new ResiliencePipelineBuilder().AddSingleflight(new SingleflightStrategyOptions()));
        Assert.Throws<ValidationException>(() => new ResiliencePipelineBuilder().AddSingleflight(new SingleflightStrategyOptions { Singleflight = _singleflight, KeyGenerator = null! }));
        Assert.Throws<ArgumentNullException>(() => new ResiliencePipelineBuilder().AddSingleflight((ISingleflight<string>)null!));
    }

    [Fact]
    public void A_synchronous_execution_waits_for_the_shared_run()
    {
        var pipeline = new ResiliencePipelineBuilder().AddSingleflight(_singleflight, static _ => Key).Build();
        Assert.Equal(7, pipeline.Execute(static () => 7));
    }

    private ResiliencePipelineBuilder<int> Builder() => new() { TimeProvider = _clock, TelemetryListener = _events };

    private static RetryStrategyOptions<int> Retry() => new() { Delay = TimeSpan.Zero, MaxRetryAttempts = 3 };

    private async Task<int> ExecuteAsync(ResiliencePipeline<int> pipeline, string? key = Key, Func<CancellationToken, ValueTask<int>>? work = null, CancellationToken token = default)
    {
        var context = ResilienceContextPool.Shared.Get(key, token);
        try
        {
            return await pipeline.ExecuteAsync((inner, run) => run(inner.CancellationToken), context, work ?? _backend.RunAsync);
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
    }

    private sealed class Events : TelemetryListener
    {
        private readonly List<string> _names = [];

        public string[] Names
        {
            get
            {
                lock (_names) return [.. _names];
            }
        }

        public override void Write<TResult, TArgs>(in TelemetryEventArguments<TResult, TArgs> args)
        {
            if (args.Arguments is not SingleflightArguments) return;
            lock (_names) _names.Add(args.Event.EventName);
        }
    }
}

using Xunit.Sdk;

namespace RequestCoalescing.Testing.Tests;

/// <summary>The contract suite finds implementations that are broken.</summary>
public sealed class BrokenImplementationTests
{
    [Fact]
    public async Task An_implementation_that_does_not_coalesce_fails()
    {
        Func<ISingleflight<string>, ISingleflight<string>> decorate = inner => new Decorator(inner) { KeyOf = key => $"{key}:{Guid.NewGuid()}" };
        await FailsAsync(decorate, suite => suite.Law01_Callers_of_one_key_share_one_run());
        await FailsAsync(decorate, suite => suite.Law02_When_the_leader_leaves_the_other_callers_still_get_the_result());
        await FailsAsync(decorate, suite => suite.Law08_A_caller_that_comes_after_the_join_window_starts_a_new_current_flight());
        await FailsAsync(decorate, suite => suite.Law13_Nothing_is_in_flight_after_the_last_flight_has_landed());
        await FailsAsync(decorate, suite => suite.Law14_A_call_for_another_result_type_fails_at_once_and_the_flight_is_not_affected());
    }

    [Fact]
    public async Task An_implementation_that_forgets_late_fails()
    {
        Func<ISingleflight<string>, ISingleflight<string>> decorate = inner => new Decorator(inner) { ForgetsLate = true };
        await FailsAsync(decorate, suite => suite.Law06_A_forgotten_flight_is_not_current());
        await FailsAsync(decorate, suite => suite.Law06_Forget_returns_true_only_if_the_key_has_a_current_flight());
    }

    [Fact]
    public async Task An_implementation_that_gives_the_token_of_its_leader_to_the_work_fails()
    {
        Func<ISingleflight<string>, ISingleflight<string>> decorate = inner => new Decorator(inner) { UsesLeadersToken = true };
        await FailsAsync(decorate, suite => suite.Law02_When_the_leader_leaves_the_other_callers_still_get_the_result());
        await FailsAsync(decorate, suite => suite.Law02_The_only_caller_that_stays_gets_the_result());
    }

    [Fact]
    public async Task A_decorator_that_passes_everything_on_does_not_fail()
    {
        await using var suite = new Suite(inner => new Decorator(inner));
        await suite.Law01_Callers_of_one_key_share_one_run();
        await suite.Law02_When_the_leader_leaves_the_other_callers_still_get_the_result();
        await suite.Law06_A_forgotten_flight_is_not_current();
        await suite.Law06_Forget_returns_true_only_if_the_key_has_a_current_flight();
    }

    private static async Task FailsAsync(Func<ISingleflight<string>, ISingleflight<string>> decorate, Func<SingleflightContract, Task> test)
    {
        await using var suite = new Suite(decorate);
        await Assert.ThrowsAnyAsync<XunitException>(() => test(suite));
    }

    // Not public, so that the runner does not discover it.
    private sealed class Suite(Func<ISingleflight<string>, ISingleflight<string>> decorate) : SingleflightContract
    {
        protected override ISingleflight<string> CreateSingleflight(SingleflightOptions options) => decorate(new Singleflight(options));
    }

    private sealed class Decorator(ISingleflight<string> inner) : SingleflightBase<string>
    {
        private readonly HashSet<string> _forgotten = [];

        public Func<string, string> KeyOf { get; init; } = key => key;

        public bool ForgetsLate { get; init; }

        public bool UsesLeadersToken { get; init; }

        public override void Clear() => inner.Clear();

        public override SingleflightStats GetStats() => inner.GetStats();

        protected override bool ForgetCore(string key)
        {
            if (!ForgetsLate) return inner.Forget(key);
            _forgotten.Add(key);
            return true;
        }

        protected override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
            string key, TState state, Func<TState, FlightContext, ValueTask<TResult>> work, CancellationToken cancellationToken)
        {
            var call = inner.ExecuteAsync(
                KeyOf(key), state, UsesLeadersToken ? (state, _) => work(state, new FlightContext(new LeadersFlight(cancellationToken))) : work, cancellationToken);
            if (_forgotten.Remove(key)) inner.Forget(key);
            return call;
        }
    }

    private sealed record LeadersFlight(CancellationToken CancellationToken) : IFlight
    {
        public bool IsCurrent => true;

        public int SubscriberCount => 1;
    }
}

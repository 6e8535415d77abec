using RequestCoalescing.CodeFixes.Rules;
using Rule = RequestCoalescing.Analyzers.Tests.Verify<RequestCoalescing.Analyzers.Rules.TokenOfCaller.TokenOfCallerAnalyzer>;

namespace RequestCoalescing.Analyzers.Tests.Rules;

/// <summary>RC001.</summary>
public sealed class TokenOfCallerTests
{
    [Theory]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, {|RC001:ct|}), ct)")]
    [InlineData("_posts.ExecuteAsync(id, async flight => await LoadAsync(id, {|RC001:ct|}))")]
    [InlineData("_posts.ExecuteAsync(id, _ => LoadAsync(id, {|RC001:ct|}), ct)")]
    [InlineData("_posts.ExecuteAsync(id, async (FlightContext flight) => await LoadAsync(id, {|RC001:ct|}), ct)")]
    [InlineData("_posts.ExecuteAsync(id, async flight => { {|RC001:ct|}.ThrowIfCancellationRequested(); return await LoadAsync(id, flight); }, ct)")]
    [InlineData("_posts.ExecuteAsync(id, (id, ct), static (state, flight) => LoadAsync(state.id, {|RC001:state.ct|}), ct)")]
    [InlineData("_posts.ExecuteAsync(id, ct, static (state, flight) => LoadAsync(\"\", {|RC001:state|}), ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, {|RC001:copy|}), ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, {|RC001:sometimes|}), ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, {|RC001:cts.Token|}), ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, {|RC001:context.RequestAborted|}), ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, {|RC001:_accessor.HttpContext!.RequestAborted|}), ct)")]
    [InlineData("_posts.ExecuteAsync(id, LocalAsync, ct)")]
    [InlineData("_posts.ExecuteAsync(id, async flight => { using var both = CancellationTokenSource.CreateLinkedTokenSource(flight, {|RC001:ct|}); return await LoadAsync(id, both.Token); }, ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => Task.Run(() => LoadAsync(id, {|RC001:ct|})), ct)")]
    [InlineData("_posts.ExecuteInScopeAsync(id, (services, flight) => LoadAsync(id, {|RC001:ct|}), ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => _posts.ExecuteAsync(id + id, inner => LoadAsync(id, {|RC001:ct|}), flight).AsTask(), ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => _posts.ExecuteAsync(id + id, inner => LoadAsync(id, inner), {|RC001:ct|}).AsTask(), ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => _posts.ExecuteAsync(id + id, inner => LoadAsync(id, {|RC001:flight|}), flight).AsTask(), ct)")]
    public Task The_token_of_a_caller_in_the_work_is_found(string call) => Rule.FindsAsync(InClass(call, local: call.Contains("LocalAsync", StringComparison.Ordinal) ? "{|RC001:ct|}" : "inner"));

    [Theory]
    [InlineData("_posts.ExecuteAsync(id, flight => {|RC001:LoadAsync(id)|}, ct)")]
    [InlineData("_posts.ExecuteAsync(id, _ => {|RC001:LoadAsync(id)|}, ct)")]
    [InlineData("_posts.ExecuteAsync(id, async flight => { await {|RC001:Task.Delay(5)|}; return 1; }, ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => {|RC001:System.IO.File.ReadAllTextAsync(id)|}, ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => {|RC001:people.Select(person => person.Name).FirstAsync()|}, ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => {|RC001:client.GetStringAsync(\"/\")|}, ct)")]
    public Task A_call_in_the_work_that_gets_no_token_is_found_if_the_flight_is_ignored(string call) => Rule.FindsAsync(InClass(call));

    [Theory]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, flight), ct)")]
    [InlineData("_posts.ExecuteAsync(id, async (FlightContext flight) => await LoadAsync(id, flight), ct)")]
    [InlineData("_posts.ExecuteAsync(id, async (FlightContext flight) => await LoadAsync(id, flight.CancellationToken), ct)")]
    [InlineData("_posts.ExecuteAsync(id, (id, ct), static (state, flight) => LoadAsync(state.id, flight), ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, CancellationToken.None), ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, default), ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, _stopping.Token), ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, s_stopping), ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, _lifetime.ApplicationStopping), ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, stopping), ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(nameof(ct), flight), ct)")]
    [InlineData("_posts.ExecuteAsync(id, async flight => { using var limit = CancellationTokenSource.CreateLinkedTokenSource(flight); limit.CancelAfter(5); return await LoadAsync(id, limit.Token); }, ct)")]
    [InlineData("_posts.ExecuteAsync(id, async flight => { var own = flight; await LoadAsync(id, own); return await LoadAsync(id); }, ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => { seen = flight; return LoadAsync(id, seen); }, ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => _posts.ExecuteAsync(id + id, inner => LoadAsync(id, inner), flight).AsTask(), ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => Task.Run(() => 5), ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => Task.FromResult(id), ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => 5, ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => NoTokenAsync(id), ct)")]
    [InlineData("_posts.ExecuteAsync(id, WholeAsync, ct)")]
    [InlineData("_posts.ExecuteAsync(id, given, ct)")]
    [InlineData("_posts.ExecuteAsync(id, flight => given(flight), ct)")]
    [InlineData("_posts.ExecuteAsync(id, LocalAsync, ct)")]
    [InlineData("RunAsync(flight => LoadAsync(id, ct))")]
    public Task Other_tokens_are_left_alone(string call) => Rule.NoneAsync(InClass(call));

    [Fact]
    public Task The_token_of_a_background_service_is_the_applications() => Rule.NoneAsync(
        """
        class Worker(ISingleflight posts) : Microsoft.Extensions.Hosting.BackgroundService
        {
            protected override async Task ExecuteAsync(CancellationToken stoppingToken) =>
                await posts.ExecuteAsync("all", flight => Task.FromCanceled<int>(stoppingToken), stoppingToken);
        }
        """);

    [Theory]
    [InlineData("flight => LoadAsync(id, {|RC001:ct|})", "flight => LoadAsync(id, flight)")]
    [InlineData("_ => LoadAsync(id, {|RC001:ct|})", "flight => LoadAsync(id, flight)")]
    [InlineData("async (FlightContext flight) => await LoadAsync(id, {|RC001:ct|})", "async (FlightContext flight) => await LoadAsync(id, flight)")]
    [InlineData("(FlightContext view) => { {|RC001:ct|}.ThrowIfCancellationRequested(); return LoadAsync(id, view); }", "(FlightContext view) => { view.CancellationToken.ThrowIfCancellationRequested(); return LoadAsync(id, view); }")]
    [InlineData("flight => {|RC001:LoadAsync(id)|}", "flight => LoadAsync(id, flight)")]
    [InlineData("_ => {|RC001:LoadAsync(id)|}", "flight => LoadAsync(id, flight)")]
    [InlineData("flight => {|RC001:LoadAsync(id: id)|}", "flight => LoadAsync(id: id, ct: flight)")]
    [InlineData("flight => {|RC001:people.Select(person => person.Name).FirstAsync()|}", "flight => people.Select(person => person.Name).FirstAsync(flight)")]
    [InlineData("flight => {|RC001:client.GetStringAsync(\"/\")|}", "flight => client.GetStringAsync(\"/\", flight)")]
    [InlineData("flight => LoadAsync(id, {|RC001:cts.Token|})", "flight => LoadAsync(id, flight)")]
    [InlineData("@in => LoadAsync(id, {|RC001:ct|})", "@in => LoadAsync(id, @in)")]
    public Task The_fix_uses_the_token_of_the_flight(string before, string after) => Rule.FixesAsync<TokenOfFlightFix>(
        InClass($"_posts.ExecuteAsync(id, {before}, ct)"),
        InClass($"_posts.ExecuteAsync(id, {after}, ct)"));

    [Fact]
    public Task No_fix_is_offered_where_another_variable_hides_the_flight()
    {
        var code = InClass("_posts.ExecuteAsync(id, _ => { var flight = 5; return LoadAsync(id + flight, {|RC001:ct|}); }, ct)");
        return Rule.FixesAsync<TokenOfFlightFix>(code, code);
    }

    private static string InClass(string call, string local = "inner") =>
        $$"""
        class Person { public string Name { get; set; } = ""; }

        class C
        {
            private static readonly CancellationToken s_stopping = new();
            private readonly ISingleflight _posts = new Singleflight();
            private readonly CancellationTokenSource _stopping = new();
            private readonly Microsoft.Extensions.Hosting.IHostApplicationLifetime _lifetime = null!;
            private readonly IHttpContextAccessor _accessor = null!;

            void M(string id, HttpContext context, IQueryable<Person> people, System.Net.Http.HttpClient client, Func<CancellationToken, Task<string>> given, CancellationToken ct)
            {
                var copy = ct;
                var sometimes = CancellationToken.None;
                if (id == "") sometimes = ct;
                var stopping = _lifetime.ApplicationStopping;
                CancellationToken seen;
                using var cts = CancellationTokenSource.CreateLinkedTokenSource(ct);
                Task<string> LocalAsync(CancellationToken inner) => LoadAsync(id, {{local}});
                _ = {{call}};
            }

            static Task<string> LoadAsync(string id, CancellationToken ct = default) => Task.FromResult(id);

            static Task<string> NoTokenAsync(string id) => Task.FromResult(id);

            static Task<string> WholeAsync(CancellationToken ct) => LoadAsync("", ct);

            static Task RunAsync(Func<CancellationToken, Task> work) => work(default);
        }
        """;
}

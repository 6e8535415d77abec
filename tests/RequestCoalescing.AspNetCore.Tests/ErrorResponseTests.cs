using System.Net;
using System.Reflection;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;

namespace RequestCoalescing.AspNetCore.Tests;

public sealed class ErrorResponseTests
{
    private const string Secret = "ada@example.org";

    [Fact]
    public async Task A_rejection_is_503_with_Retry_After_and_problem_details()
    {
        await using var host = await StartAsync(singleflight: limits => limits.MaxInFlight = 1);
        var inFlight = host.Weather.ExecuteAsync("another key", host.Backend.RunAsync).AsTask();
        var run = await host.Backend.NextRunAsync();

        using var response = await host.Client.GetAsync($"/weather/{Secret}");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(1), response.Headers.RetryAfter!.Delta);
        var problem = await ProblemOfAsync(response);
        Assert.Equal(503, problem.GetProperty("status").GetInt32());
        Assert.Equal("The server is handling too many requests of this kind.", problem.GetProperty("detail").GetString());

        run.Succeed(1);
        Assert.Equal(1, await inFlight.SoonAsync());
        Assert.Equal(HttpStatusCode.OK, (await host.Client.GetAsync("/ok")).StatusCode);
    }

    [Fact]
    public async Task A_timeout_is_504_with_problem_details()
    {
        await using var host = await StartAsync(singleflight: limits => limits.MaxDuration = TimeSpan.FromMilliseconds(20));
        using var response = await host.Client.GetAsync($"/weather/{Secret}"); // its work never ends
        Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
        Assert.Null(response.Headers.RetryAfter);
        Assert.Equal("The result was not ready in time.", (await ProblemOfAsync(response)).GetProperty("detail").GetString());
    }

    [Fact]
    public async Task A_response_has_no_key_and_no_name_even_if_logs_show_keys()
    {
        await using var host = await StartAsync(
            singleflight: limits => limits.MaxDuration = TimeSpan.FromMilliseconds(20),
            telemetry: telemetry => telemetry.KeyRedaction = KeyRedaction.Plain);
        using var response = await host.Client.GetAsync($"/weather/{Secret}");
        Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
        var body = (await ProblemOfAsync(response)).GetRawText();
        Assert.DoesNotContain(Secret, body, StringComparison.Ordinal);
        Assert.DoesNotContain("weather", body, StringComparison.Ordinal);
        Assert.DoesNotContain(nameof(FlightTimeoutException), body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_response_has_the_name_of_the_instance_if_that_is_asked_for()
    {
        await using var host = await StartAsync(errors => errors.IncludeInstance = true, limits => limits.MaxDuration = TimeSpan.FromMilliseconds(20));
        using var response = await host.Client.GetAsync($"/weather/{Secret}");
        Assert.Equal("weather", (await ProblemOfAsync(response)).GetProperty("singleflight").GetString());
    }

    [Theory]
    [InlineData("direct", 503)]
    [InlineData("aggregate", 503)]
    [InlineData("several", 503)]
    [InlineData("invocation", 503)]
    [InlineData("several-and-a-failure", 500)]
    [InlineData("wrapped", 500)] // the application chose its own exception
    [InlineData("failure", 500)]
    [InlineData("deadlock", 500)]
    [InlineData("cancelled", 500)]
    [InlineData("mapped", 502)]
    [InlineData("derived", 502)]
    public async Task Only_errors_that_are_mapped_are_answered(string error, int status)
    {
        await using var host = await StartAsync(errors => errors.Map<IOException>(StatusCodes.Status502BadGateway));
        using var response = await host.Client.GetAsync($"/throw/{error}");
        Assert.Equal(status, (int)response.StatusCode);
    }

    [Fact]
    public async Task A_response_that_has_started_is_left_alone()
    {
        await using var host = await StartAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => host.Client.GetStringAsync("/started")); // the connection is aborted in the middle of the body
        using var started = await host.Client.GetAsync("/started", HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(HttpStatusCode.OK, started.StatusCode);
        Assert.Null(started.Headers.RetryAfter);
    }

    [Fact]
    public async Task A_client_that_accepts_no_JSON_gets_the_status_and_the_header()
    {
        await using var host = await StartAsync(errors => errors.RetryAfter = TimeSpan.FromSeconds(1.2));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/throw/direct");
        request.Headers.Accept.ParseAdd("text/plain");
        using var response = await host.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(2), response.Headers.RetryAfter!.Delta);
        Assert.Empty(await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_request_that_is_rejected_or_times_out_logs_no_error()
    {
        var logs = new FakeLogCollector();
        await using var host = await StartAsync(singleflight: limits => limits.MaxDuration = TimeSpan.FromMilliseconds(20), logs: logs);
        await host.Client.GetStringOfAnyStatusAsync("/throw/direct");
        var callers = Enumerable.Range(0, 5).Select(_ => host.Client.GetStringOfAnyStatusAsync($"/weather/{Secret}"));
        await Task.WhenAll(callers).SoonAsync();
        Assert.DoesNotContain(logs.GetSnapshot(), record => record.Level >= Microsoft.Extensions.Logging.LogLevel.Error);

        await host.Client.GetStringOfAnyStatusAsync("/throw/failure"); // of which the middleware tells as before
        Assert.Contains(logs.GetSnapshot(), record => record.Level == Microsoft.Extensions.Logging.LogLevel.Error);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(86_401)]
    public async Task A_delay_out_of_its_range_fails_the_start(int seconds)
    {
        var failure = await Assert.ThrowsAsync<OptionsValidationException>(() => StartAsync(errors => errors.RetryAfter = TimeSpan.FromSeconds(seconds)));
        Assert.Contains("RetryAfter", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(399)]
    [InlineData(600)]
    public void A_status_that_is_no_error_cannot_be_mapped(int status) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new SingleflightExceptionHandlerOptions().Map<IOException>(status));

    private static Task<WebHost> StartAsync(
        Action<SingleflightExceptionHandlerOptions>? errors = null,
        Action<SingleflightOptions>? singleflight = null,
        Action<TelemetryOptions>? telemetry = null,
        FakeLogCollector? logs = null) => WebHost.StartAsync(
            app =>
            {
                app.UseExceptionHandler();
                app.MapGet("/ok", () => "ok");
                app.MapGet("/weather/{key}", (string key, [FromKeyedServices("weather")] ISingleflight weather) =>
                    weather.ExecuteAsync(key, async _ => await new TaskCompletionSource<string>().Task));
                app.MapGet("/throw/{error}", (string error) => Throw(error));
                app.MapGet("/started", async (HttpResponse response) =>
                {
                    await response.WriteAsync("a part");
                    await response.Body.FlushAsync();
                    Throw("direct");
                });
            },
            services =>
            {
                services.AddSingleflightExceptionHandler(errors);
                services.AddSingleflightExceptionHandler(); // a second registration changes nothing
                services.AddSingleflight("weather", singleflight).WithTelemetry(telemetry ?? (static _ => { }));
                if (logs is not null) services.AddLogging(logging => logging.Services.AddSingleton<Microsoft.Extensions.Logging.ILoggerProvider>(new FakeLoggerProvider(logs)));
            });

    private static string Throw(string error)
    {
        var rejected = new FlightRejectedException(FlightRejectionReason.Draining, 0);
        throw error switch
        {
            "direct" => rejected,
            "aggregate" => new AggregateException(new AggregateException(rejected)),
            "several" => new AggregateException(rejected, new FlightTimeoutException(TimeSpan.FromSeconds(1))),
            "several-and-a-failure" => new AggregateException(rejected, new ArgumentException("a failure")),
            "invocation" => new TargetInvocationException(rejected),
            "wrapped" => new NotSupportedException("the application's own", rejected),
            "deadlock" => new FlightDeadlockException(["a", "a"]),
            "cancelled" => new OperationCanceledException(),
            "mapped" => new IOException(),
            "derived" => new FileNotFoundException(),
            _ => new ArgumentException("a failure"),
        };
    }

    private static async Task<JsonElement> ProblemOfAsync(HttpResponseMessage response)
    {
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.MediaType);
        return JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
    }
}

file static class Responses
{
    public static async Task<string> GetStringOfAnyStatusAsync(this HttpClient client, string path)
    {
        using var response = await client.GetAsync(path);
        return await response.Content.ReadAsStringAsync();
    }
}

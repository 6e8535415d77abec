using System.IO.Compression;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace RequestCoalescing.AspNetCore.Tests.Requests;

/// <summary>Responses and pipelines at the edges: bodies that break off beside caches, unusual ways to write, error pages, errors that nobody gets.</summary>
public sealed class EdgeTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_cache_before_it_does_not_store_a_body_that_broke_off(bool responseCaching)
    {
        await using var app = await App.StartAsync(
            services: static services => services.AddSingleton<Ended>().AddResponseCaching().AddOutputCache(static options => options.AddBasePolicy(static policy => policy.Cache().SetLocking(false))),
            pipeline: app =>
            {
                var isOver = app.Services.GetRequiredService<Ended>();
                app.Use(async (context, next) =>
                {
                    try
                    {
                        await next(context);
                    }
                    finally
                    {
                        isOver.TrySetResult();
                    }
                });
                if (responseCaching) app.UseResponseCaching();
                else app.UseOutputCache();
                app.UseRequestCoalescing();
            });
        var request = app.GetAsync();
        var run = await app.NextRunAsync();
        await run.BeginAsync(200, ("Cache-Control", "public, max-age=60"));
        await run.WriteAsync("half");
        var response = await request.SoonAsync();
        run.Abort();
        await Assert.ThrowsAnyAsync<Exception>(() => response.Content.ReadAsStringAsync().SoonAsync());
        await app.Services.GetRequiredService<Ended>().Task.SoonAsync();

        var again = app.GetAsync();
        await (await app.NextRunAsync()).RespondAsync("whole");
        Assert.Equal("whole", await (await again.SoonAsync()).Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("nothing")]
    [InlineData("start")]
    [InlineData("advance twice")]
    [InlineData("large")]
    [InlineData("synchronous")]
    [InlineData("file")]
    [InlineData("complete and work on")]
    [InlineData("write while starting")]
    public async Task All_ways_to_write_reach_all_callers(string how)
    {
        await using var app = await App.StartAsync();
        var requests = await app.GetTogetherAsync(3);
        var run = await app.NextRunAsync();
        var (response, expected) = (run.Context.Response, "body");
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "body");
        switch (how)
        {
            case "nothing": expected = ""; break;
            case "start": await response.StartAsync(); await response.WriteAsync("body"); break;
            case "advance twice":
                "body"u8.CopyTo(response.BodyWriter.GetSpan(4));
                response.BodyWriter.Advance(2);
                "dy"u8.CopyTo(response.BodyWriter.GetSpan(2));
                response.BodyWriter.Advance(2);
                break;
            case "large": await response.WriteAsync(expected = new string('x', 1_000_000)); break;
            case "synchronous": response.Body.Write("body"u8); break;
            case "file": await response.SendFileAsync(file); break;
            case "complete and work on":
                await response.WriteAsync("body");
                await response.CompleteAsync();
                foreach (var request in requests) await request.SoonAsync();
                await response.WriteAsync("dropped");
                break;
            case "write while starting": response.OnStarting(() => response.WriteAsync("bo")); await response.WriteAsync("dy"); expected = ""; break;
        }

        run.End();
        File.Delete(file);
        var texts = await Task.WhenAll(requests.Select(static async request => await (await request.SoonAsync()).Content.ReadAsStringAsync().SoonAsync()));
        if (how == "write while starting") Assert.All(texts, static text => Assert.Equal(4, text.Length)); // in an order that the writer chooses
        else Assert.Equal([expected, expected, expected], texts);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Compression_before_it_passes_on_what_the_endpoint_flushes(bool writesFirst)
    {
        await using var app = await App.StartAsync(
            services: static services => services.AddResponseCompression(),
            pipeline: static app =>
            {
                app.UseResponseCompression();
                app.UseRequestCoalescing();
            });
        var request = app.GetAsync("/stage", ("Accept-Encoding", "gzip"));
        var run = await app.NextRunAsync();
        await run.BeginAsync(200, ("Content-Type", "text/plain"));
        if (writesFirst) await run.WriteAsync("first");
        var response = await request.SoonAsync();
        if (!writesFirst) await run.WriteAsync("first");
        await using var unzipped = new GZipStream(await response.Content.ReadAsStreamAsync(), CompressionMode.Decompress);
        await unzipped.ReadExactlyAsync(new byte[5]).AsTask().SoonAsync();
        run.End();
    }

    [Fact]
    public async Task Status_code_pages_before_it_answer_for_an_empty_response()
    {
        await using var app = await App.StartAsync(pipeline: static app =>
        {
            app.UseStatusCodePages();
            app.UseRequestCoalescing();
            app.MapGet("/missing", static () => Results.NotFound()).WithRequestCoalescing();
        });
        for (var round = 0; round < 100; round++) Assert.Contains("404", await (await app.GetAsync("/missing").SoonAsync()).Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_error_page_that_coalesces_keeps_its_status()
    {
        await using var app = await App.StartAsync(pipeline: static app =>
        {
            app.UseExceptionHandler("/error");
            app.UseStatusCodePagesWithReExecute("/error");
            app.UseRouting();
            app.UseRequestCoalescing();
            app.MapGet("/fails", static void () => throw new InvalidOperationException());
            app.MapGet("/error", static () => "sorry").WithRequestCoalescing();
        });
        Assert.Equal(HttpStatusCode.InternalServerError, (await app.GetAsync("/fails").SoonAsync()).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await app.GetAsync("/missing").SoonAsync()).StatusCode);
    }

    [Fact]
    public async Task A_HEAD_request_of_a_large_resource_does_not_abort_its_endpoint()
    {
        await using var app = await App.StartAsync();
        var request = app.SendAsync(HttpMethod.Head, "/stage", default);
        var run = await app.NextRunAsync();
        await run.BeginAsync(200, ("Content-Length", "300000"));
        Assert.Equal(300_000, (await request.SoonAsync()).Content.Headers.ContentLength);
        for (var part = 0; part < 30; part++) await run.Context.Response.Body.WriteAsync(new byte[10_000]);
        Assert.False(run.Context.RequestAborted.IsCancellationRequested);
        run.End();
    }

    [Theory]
    [InlineData("X A", "a")]
    [InlineData("X-A", "a\r\nX-B: b")]
    [InlineData("Transfer-Encoding", "chunked")]
    public async Task A_response_header_that_cannot_be_sent_is_an_error(string name, string value)
    {
        await using var app = await App.StartAsync(pipeline: app =>
        {
            app.UseRequestCoalescing();
            app.MapGet("/bad", (HttpContext context) =>
            {
                context.Response.Headers[name] = value;
                return "body";
            }).WithRequestCoalescing();
        });
        Assert.Equal(HttpStatusCode.InternalServerError, (await app.GetAsync("/bad").SoonAsync()).StatusCode);
    }

    [Fact]
    public async Task An_endpoint_that_aborts_before_its_response_breaks_each_connection_off()
    {
        await using var app = await App.StartAsync();
        var requests = await app.GetTogetherAsync(2);
        (await app.NextRunAsync()).Abort();
        foreach (var request in requests) await Assert.ThrowsAnyAsync<HttpRequestException>(() => request.SoonAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_error_that_no_caller_gets_is_logged(bool ofCallback)
    {
        await using var app = await App.StartAsync(pipeline: app =>
        {
            app.UseRequestCoalescing();
            app.MapGet("/fails", async (HttpContext context) =>
            {
                context.Response.OnCompleted(() => ofCallback ? throw new InvalidDataException() : Task.CompletedTask);
                await context.Response.WriteAsync("half");
                if (!ofCallback) throw new InvalidDataException();
            }).WithRequestCoalescing();
        });
        var reading = app.Client.GetStringAsync("/fails").SoonAsync();
        if (ofCallback) Assert.Equal("half", await reading);
        else await Assert.ThrowsAnyAsync<Exception>(() => reading);
        await Patience.UntilAsync(() => app.Logs.GetSnapshot().Any(record => record.Exception is InvalidDataException && record.Level == LogLevel.Error && record.Id.Id == (ofCallback ? 303 : 302)), "the error is logged");
    }

    [Fact]
    public async Task The_middleware_twice_runs_the_endpoint_once()
    {
        await using var app = await App.StartAsync(pipeline: static app => app.UseRequestCoalescing().UseRequestCoalescing());
        var requests = await app.GetTogetherAsync(2);
        await (await app.NextRunAsync()).RespondAsync("once");
        foreach (var request in requests) Assert.Equal("once", await (await request.SoonAsync()).Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task ASP_NET_Core_itself_causes_no_warning_in_Development()
    {
        await using var app = await App.StartAsync(
            environment: "Development",
            services: static services =>
            {
                services.AddSingleton<Signal>();
                services.AddOutputCache(static options => options.AddBasePolicy(static policy => policy.Cache()));
                services.AddControllers().AddApplicationPart(typeof(PostsController).Assembly);
            },
            pipeline: static app =>
            {
                app.UseRequestCoalescing();
                app.UseOutputCache();
                app.MapControllers();
            });
        app.Services.GetRequiredService<Signal>().SetResult();
        Assert.Equal("post 7, run 1", await app.Client.GetStringAsync("/posts/7"));
        Assert.DoesNotContain(app.Logs.GetSnapshot(), static record => record.Id.Name == "ReadOutsideKey");
    }
}

public sealed class Ended : TaskCompletionSource;

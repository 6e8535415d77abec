#pragma warning disable // a review: style does not matter here
using System.Buffers;
using System.Diagnostics;
using System.Diagnostics.Tracing;
using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Claims;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using RequestCoalescing.Http;

namespace RequestCoalescing.AspNetCore.Tests.Requests;

/// <summary>Inputs and interleavings that a review has tried on the middleware.</summary>
public sealed class ReviewTests
{
    private static async Task<string[]> TextsAsync(params Task<HttpResponseMessage>[] requests) =>
        await Task.WhenAll(requests.Select(static async request => await (await request.SoonAsync()).Content.ReadAsStringAsync().SoonAsync()));


    private static (long Bytes, int Streaming) Left(App app, string name = "requests")
    {
        var type = typeof(HttpCoalescingOptions).Assembly.GetType("RequestCoalescing.Http.HttpCoalescer")!;
        var coalescer = ((IKeyedServiceProvider)app.Services).GetRequiredKeyedService(type, name);
        return ((long)type.GetProperty("BufferedBytes")!.GetValue(coalescer)!, (int)type.GetProperty("Streaming")!.GetValue(coalescer)!);
    }

    private static async Task NothingLeftAsync(App app, string name = "requests")
    {
        for (var i = 0; i < 500 && Left(app, name) != (0, 0); i++) await Task.Delay(10);
        Assert.Equal((0, 0), Left(app, name));
    }

    private static async Task<string> RawAsync(App app, string request)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, app.Client.BaseAddress!.Port);
        var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(request));
        return await new StreamReader(stream, Encoding.Latin1).ReadToEndAsync().SoonAsync();
    }

    // ---- data of one caller ----

    [Fact]
    public async Task Route_values_that_earlier_middleware_has_set_are_part_of_the_key()
    {
        await using var app = await App.StartAsync(pipeline: static app =>
        {
            app.UseRouting();
            app.Use(static (context, next) =>
            {
                context.Request.RouteValues["tenant"] = context.Request.Headers["X-Tenant"].ToString();
                return next(context);
            });
            app.UseRequestCoalescing();
            app.MapGet("/tenant", static async (HttpContext context, Signal signal) =>
            {
                await signal.Task;
                return context.Request.RouteValues["tenant"] as string;
            }).WithRequestCoalescing();
        }, services: static services => services.AddSingleton<Signal>());
        var (ann, ben) = (app.GetAsync("/tenant", ("X-Tenant", "ann")), app.GetAsync("/tenant", ("X-Tenant", "ben")));
        await app.Flights.UntilSubscribersAsync(2);
        app.Services.GetRequiredService<Signal>().SetResult();
        Assert.Equal(["ann", "ben"], await TextsAsync(ann, ben));
    }

    [Fact]
    public async Task Another_split_of_PathBase_and_Path_is_another_key()
    {
        await using var app = await App.StartAsync(pipeline: static app =>
        {
            app.UseForwardedHeaders(new ForwardedHeadersOptions { ForwardedHeaders = Microsoft.AspNetCore.HttpOverrides.ForwardedHeaders.XForwardedPrefix });
            app.UseRouting();
            app.UseRequestCoalescing();
            app.MapGet("/{**rest}", static async (HttpContext context, string rest, Signal signal) =>
            {
                await signal.Task;
                return $"{context.Request.PathBase}|{context.Request.Path}|{rest}";
            }).WithRequestCoalescing();
        }, services: static services => services.AddSingleton<Signal>());
        var (one, other) = (app.GetAsync("/b", ("X-Forwarded-Prefix", "/a")), app.GetAsync("/a/b"));
        await app.Flights.UntilSubscribersAsync(2);
        app.Services.GetRequiredService<Signal>().SetResult();
        Assert.Equal(["/a|/b|b", "|/a/b|a/b"], await TextsAsync(one, other));
    }

    [Theory]
    [InlineData("unauthenticated")]
    [InlineData("added identity")]
    [InlineData("properties")]
    [InlineData("bootstrap")]
    [InlineData("actor")]
    [InlineData("value type")]
    [InlineData("subclass")]
    public async Task What_the_endpoint_sees_of_the_user_is_in_the_key(string where)
    {
        await using var app = await App.StartAsync(
            policy: "p",
            policies: static requests => requests.AddPolicy("p", static policy => policy.VaryByUser()),
            pipeline: app =>
            {
                app.Use((context, next) =>
                {
                    var caller = context.Request.Headers["X-Caller"].ToString();
                    Claim claim = new("tenant", caller);
                    Claim same = new(ClaimTypes.Name, "same");
                    var identity = new ClaimsIdentity([same], "test");
                    switch (where)
                    {
                        case "unauthenticated": context.User = new ClaimsPrincipal(new ClaimsIdentity([claim])); return next(context);
                        case "added identity": // as in the documentation's sample of IClaimsTransformation
                            context.User = new ClaimsPrincipal(identity);
                            context.User.AddIdentity(new ClaimsIdentity([claim]));
                            return next(context);
                        case "properties": same.Properties["tenant"] = caller; break;
                        case "bootstrap": identity.BootstrapContext = caller; break;
                        case "actor": identity.Actor = new ClaimsIdentity([claim], "actor"); break;
                        case "value type": identity = new ClaimsIdentity([new Claim(ClaimTypes.Name, "same", caller)], "test"); break;
                        case "subclass": context.User = new OwnPrincipal(identity, caller); return next(context);
                    }

                    context.User = new ClaimsPrincipal(identity);
                    return next(context);
                });
                app.UseRequestCoalescing();
            });
        var (ann, ben) = (app.GetAsync("/stage", ("X-Caller", "ann")), app.GetAsync("/stage", ("X-Caller", "ben")));
        await app.FlightsOf("requests-p").UntilSubscribersAsync(2);
        var seen = new List<string>();
        for (var run = 0; run < app.FlightsOf("requests-p").GetStats().Flights; run++)
        {
            var exchange = await app.NextRunAsync();
            seen.Add(Sees(exchange.Context.User));
            await exchange.RespondAsync(seen[^1]);
        }

        var texts = await TextsAsync(ann, ben);
        Assert.True(texts.SequenceEqual(["ann", "ben"]) || texts.All(static text => text.Length == 0), string.Join(", ", texts)); // its own, or nothing

        string Sees(ClaimsPrincipal user) => where switch
        {
            "unauthenticated" or "added identity" => user.FindFirst("tenant")?.Value ?? "",
            "properties" => user.Claims.First().Properties.TryGetValue("tenant", out var value) ? value : "",
            "bootstrap" => ((ClaimsIdentity)user.Identity!).BootstrapContext as string ?? "",
            "actor" => ((ClaimsIdentity)user.Identity!).Actor?.Claims.First().Value ?? "",
            "value type" => user.Claims.First().ValueType is "ann" or "ben" ? user.Claims.First().ValueType : "",
            _ => (user as OwnPrincipal)?.Tenant ?? "",
        };
    }

    private sealed class OwnPrincipal(ClaimsIdentity identity, string tenant) : ClaimsPrincipal(identity)
    {
        public string Tenant => tenant;
    }

    [Fact]
    public async Task Baggage_of_the_leader_does_not_reach_the_endpoint()
    {
        await using var app = await App.StartAsync(pipeline: static app =>
        {
            app.UseRequestCoalescing();
            app.MapGet("/baggage", static () => string.Join(",", Activity.Current?.Baggage.Select(static item => $"{item.Key}={item.Value}") ?? [])).WithRequestCoalescing();
        });
        var text = await TextsAsync(app.GetAsync("/baggage", ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), ("baggage", "user=ann")));
        Assert.Equal([""], text);
    }

    [Fact]
    public async Task The_activity_of_the_leader_has_no_tags_for_the_endpoint()
    {
        using var listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name == "Microsoft.AspNetCore",
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        };
        ActivitySource.AddActivityListener(listener);
        await using var app = await App.StartAsync(pipeline: static app =>
        {
            app.Use(static (context, next) =>
            {
                Activity.Current?.SetTag("enduser.id", "ann");
                return next(context);
            });
            app.UseRequestCoalescing();
            app.MapGet("/tags", static () =>
            {
                for (var activity = Activity.Current; activity is not null; activity = activity.Parent)
                {
                    if (activity.GetTagItem("enduser.id") is string id) return id;
                }

                return "";
            }).WithRequestCoalescing();
        });
        Assert.Equal([""], await TextsAsync(app.GetAsync("/tags")));
    }

    [Fact]
    public async Task Values_that_UTF8_cannot_write_are_kept_apart()
    {
        await using var app = await App.StartAsync(
            policy: "p",
            policies: static requests => requests.AddPolicy("p", static policy => policy.VaryByValue("v", static context => context.Request.Headers["X-Caller"] == "ann" ? "\ud800" : "\ud801")));
        var (ann, ben) = (app.GetAsync("/stage", ("X-Caller", "ann")), app.GetAsync("/stage", ("X-Caller", "ben")));
        await app.FlightsOf("requests-p").UntilSubscribersAsync(2);
        Assert.Equal(2, app.FlightsOf("requests-p").GetStats().Flights);
        for (var run = 0; run < 2; run++) await (await app.NextRunAsync()).RespondAsync("");
    }

    [Theory]
    [InlineData("Cookie", "a=1", "b=2")]
    [InlineData("X-Many", "a", "b")]
    [InlineData("User-Agent", "a", "b")]
    public async Task Repeated_headers_reach_the_endpoint_as_they_were_sent(string name, string one, string two)
    {
        await using var app = await App.StartAsync(
            policies: requests => requests.AddPolicy("p", policy => policy.VaryByHeader(name)),
            pipeline: app =>
            {
                app.UseRequestCoalescing();
                app.MapGet("/coalesced", (HttpContext context) => See(context)).WithRequestCoalescing("p");
                app.MapGet("/plain", (HttpContext context) => See(context));
            });
        var request = $" HTTP/1.1\r\nHost: localhost\r\n{name}: {one}\r\n{name}: {two}\r\nConnection: close\r\n\r\n";
        Assert.Equal(Body(await RawAsync(app, "GET /plain" + request)), Body(await RawAsync(app, "GET /coalesced" + request)));

        string See(HttpContext context) => name == "Cookie"
            ? string.Join("|", context.Request.Cookies.Select(static cookie => cookie.Key + "=" + cookie.Value))
            : string.Join("|", context.Request.Headers[name].ToArray());

        static string Body(string response) => response[response.IndexOf("\r\n\r\n", StringComparison.Ordinal)..];
    }

    [Fact]
    public async Task The_culture_of_the_caller_is_that_of_the_response()
    {
        await using var app = await App.StartAsync(pipeline: static app =>
        {
            app.Use(static (context, next) =>
            {
                // As UseRequestLocalization does. The tests run without cultures.
                var culture = (CultureInfo)CultureInfo.InvariantCulture.Clone();
                if (context.Request.Headers.AcceptLanguage == "de") culture.NumberFormat.NumberDecimalSeparator = ",";
                CultureInfo.CurrentCulture = culture;
                return next(context);
            });
            app.UseRequestCoalescing();
            app.MapGet("/culture", static () => $"{1.5}").WithRequestCoalescing();
        });
        Assert.Equal(["1,5"], await TextsAsync(app.GetAsync("/culture", ("Accept-Language", "de"))));
    }

    [Fact]
    public async Task A_flight_that_starts_late_reads_nothing_of_a_request_that_has_ended()
    {
        // The flight's span starts on the thread pool. The test holds it there until the leader has left, and its connection serves another request.
        var (hold, held) = (new ManualResetEventSlim(), new TaskCompletionSource());
        var first = 1;
        using var listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name.Contains("Coalescing", StringComparison.OrdinalIgnoreCase) || source.Name.Contains("Singleflight", StringComparison.OrdinalIgnoreCase),
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStarted = _ =>
            {
                if (Interlocked.Exchange(ref first, 0) != 1) return;
                held.SetResult();
                hold.Wait();
            },
        };
        using var timeout = new CancellationTokenSource();
        await using var app = await App.StartAsync(
            services: static services => services.AddSingleflight("requests", static options => options.StartOnThreadPool = true),
            pipeline: app =>
            {
                app.Use(async (context, next) =>
                {
                    if (context.Request.Headers.ContainsKey("X-Timeout")) context.RequestAborted = timeout.Token; // as UseRequestTimeouts does
                    try
                    {
                        await next(context);
                    }
                    catch (OperationCanceledException)
                    {
                        context.Response.StatusCode = 504;
                        context.Response.ContentLength = 0;
                    }
                });
                app.UseRequestCoalescing();
            });
        ActivitySource.AddActivityListener(listener);
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, app.Client.BaseAddress!.Port);
        var connection = socket.GetStream();
        var reader = new StreamReader(connection);
        var host = $"Host: 127.0.0.1:{app.Client.BaseAddress.Port}\r\n";
        await connection.WriteAsync(Encoding.ASCII.GetBytes($"GET /stage/public HTTP/1.1\r\n{host}X-Timeout: 1\r\n\r\n"));
        await held.Task.SoonAsync();
        var follower = app.GetAsync("/stage/public");
        await app.Flights.UntilSubscribersAsync(2);
        await timeout.CancelAsync();
        Assert.Contains("504", await reader.ReadLineAsync().SoonAsync());
        await connection.WriteAsync(Encoding.ASCII.GetBytes($"GET /stage/secret HTTP/1.1\r\n{host}Cache-Control: no-cache\r\n\r\n")); // on the same connection
        var other = await app.NextRunAsync();
        Assert.Equal("/stage/secret", other.Target);
        hold.Set();
        var next = app.NextRunAsync();
        if (await Task.WhenAny(next, follower).SoonAsync() == follower) Assert.Fail($"The follower got {(await follower).StatusCode}.");
        var run = await next;
        var seen = $"{run.Target} with {run.Context.Request.RouteValues["rest"]}";
        await run.RespondAsync("");
        await other.RespondAsync("");
        Assert.Equal("/stage/public with public", seen);
    }

    // As above, with the default settings: a flight is led anew on the thread pool when its leader has left and its run ends cancelled.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_follower_that_is_elected_and_leaves_lends_nothing_of_its_next_request(bool joinsLast)
    {
        var (hold, held) = (new ManualResetEventSlim(), new TaskCompletionSource());
        using var listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name == "RequestCoalescing",
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStarted = activity =>
            {
                if (activity.OperationName != "singleflight.flight" || !activity.Source.HasListeners() || s_takeOffs.AddOrUpdate(held, 1, static (_, count) => count + 1) != 2) return;
                held.SetResult();
                hold.Wait();
            },
        };
        using var timeout = new CancellationTokenSource();
        var fails = new TaskCompletionSource();
        var runs = 0;
        await using var app = await App.StartAsync(
            pipeline: app =>
            {
                app.Use(async (context, next) =>
                {
                    if (context.Request.Headers.ContainsKey("X-Timeout")) context.RequestAborted = timeout.Token; // as UseRequestTimeouts does
                    try
                    {
                        await next(context);
                    }
                    catch (OperationCanceledException)
                    {
                        context.Response.StatusCode = 504;
                        context.Response.ContentLength = 0;
                    }
                });
                app.UseRequestCoalescing();
                app.MapGet("/slow/{name}", async (HttpContext context) =>
                {
                    if (Interlocked.Increment(ref runs) == 1)
                    {
                        await fails.Task;
                        throw new TaskCanceledException(); // for example, an HttpClient has timed out
                    }

                    return context.Request.Path.Value;
                }).WithRequestCoalescing();
            });
        ActivitySource.AddActivityListener(listener);
        using var leaving = new CancellationTokenSource();
        var leader = app.SendAsync(HttpMethod.Get, "/slow/public", leaving.Token);
        await app.Flights.UntilSubscribersAsync(1);
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, app.Client.BaseAddress!.Port);
        var connection = socket.GetStream();
        var reader = new StreamReader(connection);
        var host = $"Host: 127.0.0.1:{app.Client.BaseAddress.Port}\r\n";
        var follower = joinsLast ? app.GetAsync("/slow/public") : null;
        if (joinsLast) await app.Flights.UntilSubscribersAsync(2);
        await connection.WriteAsync(Encoding.ASCII.GetBytes($"GET /slow/public HTTP/1.1\r\n{host}X-Timeout: 1\r\n\r\n"));
        await app.Flights.UntilSubscribersAsync(joinsLast ? 3 : 2);
        follower ??= app.GetAsync("/slow/public");
        await app.Flights.UntilSubscribersAsync(3);
        await leaving.CancelAsync();
        await app.Flights.UntilSubscribersAsync(2);
        fails.SetResult();
        await held.Task.SoonAsync();
        await timeout.CancelAsync();
        Assert.Contains("504", await reader.ReadLineAsync().SoonAsync());
        await connection.WriteAsync(Encoding.ASCII.GetBytes($"GET /stage/secret HTTP/1.1\r\n{host}Cache-Control: no-cache\r\n\r\n")); // on the same connection
        var other = await app.NextRunAsync();
        if (await Task.WhenAny(follower, Task.Delay(300)) == follower) Assert.Fail("The follower has its response before the elected run: " + (await follower).StatusCode);
        hold.Set();
        var response = await follower.SoonAsync();
        var text = await response.Content.ReadAsStringAsync();
        await other.RespondAsync("");
        Assert.Equal("200 /slow/public", $"{(int)response.StatusCode} {text}");
    }

    private static readonly System.Collections.Concurrent.ConcurrentDictionary<object, int> s_takeOffs = new();

    [Fact]
    public async Task A_header_that_the_response_varies_by_keeps_callers_apart()
    {
        await using var app = await App.StartAsync(pipeline: static app =>
        {
            app.UseRequestCoalescing();
            app.MapGet("/vary", static async (HttpContext context, Signal signal) =>
            {
                await signal.Task;
                context.Response.Headers.Vary = "X-Caller";
                return context.Request.Headers["X-Caller"].ToString();
            }).WithRequestCoalescing();
        }, services: static services => services.AddSingleton<Signal>());
        var callers = new[] { app.GetAsync("/vary", ("X-Caller", "ann")), app.GetAsync("/vary", ("X-Caller", "ben")), app.GetAsync("/vary") };
        await app.Flights.UntilSubscribersAsync(3);
        app.Services.GetRequiredService<Signal>().SetResult();
        Assert.Equal(["ann", "ben", ""], await TextsAsync(callers));
        await NothingLeftAsync(app);
    }

    // ---- bodies ----

    [Fact]
    public async Task An_output_cache_before_it_does_not_store_a_body_that_broke_off()
    {
        await using var app = await App.StartAsync(
            services: static services => services.AddOutputCache(static options => options.AddBasePolicy(static policy => policy.Cache().SetLocking(false))),
            pipeline: static app =>
            {
                app.UseOutputCache();
                app.UseRequestCoalescing();
            });
        var request = app.GetAsync();
        var run = await app.NextRunAsync();
        await run.BeginAsync();
        await run.WriteAsync("half");
        var response = await request.SoonAsync();
        run.Abort();
        await Assert.ThrowsAnyAsync<Exception>(() => response.Content.ReadAsStringAsync().SoonAsync());
        await NothingLeftAsync(app);
        await Task.Delay(100);
        var again = app.GetAsync();
        var next = await Task.WhenAny(again, app.NextRunAsync()).SoonAsync();
        if (next == again) Assert.Fail($"The cache has answered '{await (await again).Content.ReadAsStringAsync()}'.");
        await ((Task<RequestCoalescing.Http.Tests.Exchange>)next).Result.RespondAsync("whole");
        Assert.Equal(["whole"], await TextsAsync(again));
    }

    [Fact]
    public async Task An_output_cache_before_it_does_not_store_the_body_of_a_caller_that_has_left()
    {
        await using var app = await App.StartAsync(
            services: static services => services.AddOutputCache(static options => options.AddBasePolicy(static policy => policy.Cache().SetLocking(false))),
            pipeline: static app =>
            {
                app.UseOutputCache();
                app.UseRequestCoalescing();
            });
        var leaver = app.GetAsync();
        var run = await app.NextRunAsync();
        await run.BeginAsync();
        await run.WriteAsync("half");
        (await leaver.SoonAsync()).Dispose();
        await run.Aborted.SoonAsync();
        run.End();
        await NothingLeftAsync(app);
        await Task.Delay(100);
        var again = app.GetAsync();
        var next = await Task.WhenAny(again, app.NextRunAsync()).SoonAsync();
        if (next == again) Assert.Fail($"The cache has answered '{await (await again).Content.ReadAsStringAsync()}'.");
        await ((Task<RequestCoalescing.Http.Tests.Exchange>)next).Result.RespondAsync("whole");
        Assert.Equal(["whole"], await TextsAsync(again));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)] // what ASP.NET Core does alone (dotnet/aspnetcore#66877)
    public async Task An_output_cache_after_it_does_not_store_what_was_aborted_because_all_callers_have_left(bool coalesces)
    {
        await using var app = await App.StartAsync(
            services: static services => services.AddOutputCache(static options => options.AddBasePolicy(static policy => policy.Cache().SetLocking(false))),
            pipeline: static app =>
            {
                app.UseRequestCoalescing();
                app.UseOutputCache();
            },
            policies: requests => requests.AddDefaultPolicy(policy => policy.When(_ => coalesces)));
        var leaver = app.GetAsync();
        var run = await app.NextRunAsync();
        await run.BeginAsync();
        await run.WriteAsync("half");
        (await leaver.SoonAsync()).Dispose();
        await run.Aborted.SoonAsync();
        run.Abort(); // as Results.File and Results.Stream do
        await NothingLeftAsync(app);
        await Task.Delay(100);
        var again = app.GetAsync();
        var next = await Task.WhenAny(again, app.NextRunAsync()).SoonAsync();
        if (next == again) Assert.Fail($"The cache has answered '{await (await again).Content.ReadAsStringAsync()}'.");
        await ((Task<RequestCoalescing.Http.Tests.Exchange>)next).Result.RespondAsync("whole");
        Assert.Equal(["whole"], await TextsAsync(again));
    }

    [Fact]
    public async Task An_endpoint_that_frames_its_chunks_itself_gets_them_through()
    {
        await using var app = await App.StartAsync(pipeline: static app =>
        {
            app.UseRequestCoalescing();
            foreach (var path in new[] { "/plain", "/coalesced" })
            {
                var endpoint = app.MapGet(path, static async (HttpContext context) =>
                {
                    context.Response.Headers.TransferEncoding = "chunked";
                    await context.Response.WriteAsync("4\r\nbody\r\n0\r\n\r\n");
                });
                if (path == "/coalesced") endpoint.WithRequestCoalescing();
            }
        });
        Assert.Equal(["body"], await TextsAsync(app.GetAsync("/plain")));
        Assert.Equal(["body"], await TextsAsync(app.GetAsync("/coalesced")));
    }

    [Fact]
    public async Task Response_compression_before_it_passes_on_what_the_endpoint_flushes()
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
        var response = await request.SoonAsync();
        await run.WriteAsync("first");
        await using var unzipped = new GZipStream(await response.Content.ReadAsStreamAsync(), CompressionMode.Decompress);
        try
        {
            await unzipped.ReadExactlyAsync(new byte[5]).AsTask().WaitAsync(TimeSpan.FromSeconds(5));
        }
        finally
        {
            run.End();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Status_code_pages_before_it_always_answer(bool coalesces)
    {
        await using var app = await App.StartAsync(pipeline: app =>
        {
            app.UseStatusCodePages();
            app.UseRequestCoalescing();
            var endpoint = app.MapGet("/missing/{id}", static () => Results.NotFound());
            if (coalesces) endpoint.WithRequestCoalescing();
        });
        var empty = 0;
        for (var round = 0; round < 40; round++)
        {
            var texts = await TextsAsync([.. Enumerable.Range(0, 25).Select(id => app.GetAsync($"/missing/{id}"))]);
            empty += texts.Count(static text => text.Length == 0);
        }

        Assert.Equal(0, empty);
    }

    [Fact]
    public async Task A_callback_of_OnStarting_may_start_the_response()
    {
        await using var app = await App.StartAsync(pipeline: static app =>
        {
            app.UseRequestCoalescing();
            app.MapGet("/starting", static async (HttpContext context) =>
            {
                context.Response.OnStarting(() => context.Response.WriteAsync("first "));
                await context.Response.WriteAsync("second");
            }).WithRequestCoalescing();
            app.MapGet("/plain", static async (HttpContext context) =>
            {
                context.Response.OnStarting(() => context.Response.WriteAsync("first "));
                await context.Response.WriteAsync("second");
            });
        });
        var plain = await TextsAsync(app.GetAsync("/plain"));
        Assert.Equal(plain[0].Length, (await TextsAsync(app.GetAsync("/starting")))[0].Length);
    }

    [Fact]
    public async Task Memory_that_the_endpoint_holds_is_not_given_back_to_the_pool_when_it_aborts()
    {
        using var returned = new Returns();
        await using var app = await App.StartAsync();
        var request = app.GetAsync();
        var run = await app.NextRunAsync();
        await run.BeginAsync();
        await run.WriteAsync("half");
        var response = await request.SoonAsync();
        var memory = run.Context.Response.BodyWriter.GetMemory(2000);
        Assert.True(MemoryMarshal.TryGetArray((ReadOnlyMemory<byte>)memory, out var array));
        returned.Forget();
        run.Context.Abort();
        await Assert.ThrowsAnyAsync<Exception>(() => response.Content.ReadAsStringAsync().SoonAsync());
        await NothingLeftAsync(app);
        await Task.Delay(200);
        Assert.DoesNotContain(RuntimeHelpers.GetHashCode(array.Array), returned.Ids); // the endpoint would write into the buffer of someone else
        run.End();
    }

    private sealed class Returns : EventListener
    {
        private readonly List<int> _ids = [];

        public int[] Ids
        {
            get
            {
                lock (_ids) return [.. _ids];
            }
        }

        public void Forget()
        {
            lock (_ids) _ids.Clear();
        }

        protected override void OnEventSourceCreated(EventSource source)
        {
            if (source.Name == "System.Buffers.ArrayPoolEventSource") EnableEvents(source, EventLevel.Verbose);
        }

        protected override void OnEventWritten(EventWrittenEventArgs args)
        {
            if (args.EventName == "BufferReturned" && _ids is not null) lock (_ids) _ids.Add((int)args.Payload![0]!);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_announced_body_that_is_not_written_never_looks_whole(bool overHttp2)
    {
        await using var app = await App.StartAsync(overHttp2: overHttp2);
        var requests = await app.GetTogetherAsync(2);
        var run = await app.NextRunAsync();
        run.Context.Response.ContentLength = 8;
        run.End();
        foreach (var request in requests)
        {
            await Assert.ThrowsAnyAsync<Exception>(async () =>
            {
                var response = await request.SoonAsync();
                await response.Content.ReadAsStringAsync().SoonAsync();
                response.EnsureSuccessStatusCode();
            });
        }

        await NothingLeftAsync(app);
    }

    [Fact]
    public async Task An_endpoint_that_writes_more_than_announced_never_looks_whole()
    {
        await using var app = await App.StartAsync();
        var requests = await app.GetTogetherAsync(2);
        await (await app.NextRunAsync()).RespondAsync("more than that", 200, ("Content-Length", "8"));
        foreach (var request in requests)
        {
            await Assert.ThrowsAnyAsync<Exception>(async () =>
            {
                var response = await request.SoonAsync();
                await response.Content.ReadAsStringAsync().SoonAsync();
                response.EnsureSuccessStatusCode();
            });
        }

        await NothingLeftAsync(app);
    }

    [Theory]
    [InlineData("writer")]
    [InlineData("nothing")]
    [InlineData("sync")]
    [InlineData("complete")]
    [InlineData("file")]
    [InlineData("start")]
    [InlineData("204")]
    [InlineData("advance")]
    [InlineData("big unflushed")]
    [InlineData("completing callback fails")]
    [InlineData("fails after completing")]
    [InlineData("head")]
    public async Task Ways_to_write(string how)
    {
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "body");
        var released = new TaskCompletionSource();
        await using var app = await App.StartAsync(services: static services => services.AddScoped<Scope>());
        var head = how == "head";
        var requests = Enumerable.Range(0, 3).Select(_ => app.SendAsync(head ? HttpMethod.Head : HttpMethod.Get, "/stage", default)).ToArray();
        await app.Flights.UntilSubscribersAsync(3);
        var run = await app.NextRunAsync();
        var response = run.Context.Response;
        var scope = run.Context.RequestServices.GetRequiredService<Scope>();
        var expected = "body";
        switch (how)
        {
            case "writer": response.BodyWriter.Write("body"u8); break;
            case "nothing": expected = ""; break;
            case "sync": response.Body.Write("bo"u8); response.Body.Flush(); response.Body.Write("dy"u8); break;
            case "complete": await response.WriteAsync("body"); await response.CompleteAsync(); break;
            case "file": await response.SendFileAsync(file); break;
            case "start": await response.StartAsync(); response.BodyWriter.Write("body"u8); break;
            case "204": response.StatusCode = 204; expected = ""; break;
            case "advance": response.BodyWriter.GetSpan(4)[0] = (byte)'b'; response.BodyWriter.Advance(1); response.BodyWriter.Write("ody"u8); break;
            case "big unflushed": expected = new string('x', 1_000_000); response.BodyWriter.Write(Encoding.ASCII.GetBytes(expected)); break;
            case "completing callback fails": response.OnCompleted(static () => throw new InvalidOperationException()); await response.WriteAsync("body"); break;
            case "fails after completing": await response.WriteAsync("body"); await response.CompleteAsync(); run.Context.Abort(); break;
            case "head": response.ContentLength = 4; await response.WriteAsync("body"); expected = ""; break;
        }

        if (how == "complete") Assert.Equal(["body", "body", "body"], await TextsAsync(requests));
        run.End();
        Assert.Equal([expected, expected, expected], await TextsAsync(requests));
        if (head) Assert.Equal(4, (await requests[0]).Content.Headers.ContentLength);
        await scope.Disposed.Task.SoonAsync();
        await NothingLeftAsync(app);
    }

    private sealed class Scope : IAsyncDisposable
    {
        public TaskCompletionSource Disposed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ValueTask DisposeAsync()
        {
            Disposed.TrySetResult();
            return default;
        }
    }

    [Fact]
    public async Task An_endpoint_that_aborts_before_its_response_breaks_the_connection_off()
    {
        await using var app = await App.StartAsync();
        var requests = await app.GetTogetherAsync(2);
        (await app.NextRunAsync()).Abort();
        foreach (var request in requests) await Assert.ThrowsAnyAsync<HttpRequestException>(() => request.SoonAsync());
    }

    [Fact]
    public async Task Status_code_pages_before_it_answer_however_late_the_body_ends()
    {
        var hold = new ManualResetEventSlim();
        await using var app = await App.StartAsync(pipeline: app =>
        {
            app.UseStatusCodePages();
            app.UseRequestCoalescing();
            app.MapGet("/missing", (HttpContext context) =>
            {
                context.Features.Get<IHttpResponseTrailersFeature>()!.Trailers = new SlowTrailers(hold);
                return Results.NotFound();
            }).WithRequestCoalescing();
        });
        var request = app.GetAsync("/missing");
        await Task.WhenAny(request, Task.Delay(1000));
        hold.Set();
        Assert.Contains("404", (await TextsAsync(request))[0]);
    }

    // Widens the time between the headers and the end of the body.
    private sealed class SlowTrailers(ManualResetEventSlim hold) : HeaderDictionary, IEnumerable<KeyValuePair<string, Microsoft.Extensions.Primitives.StringValues>>, IHeaderDictionary
    {
        IEnumerator<KeyValuePair<string, Microsoft.Extensions.Primitives.StringValues>> IEnumerable<KeyValuePair<string, Microsoft.Extensions.Primitives.StringValues>>.GetEnumerator()
        {
            hold.Wait(5000);
            yield break;
        }
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task A_body_for_one_caller_that_breaks_off_never_looks_whole(bool aborts, bool overHttp2)
    {
        await using var app = await App.StartAsync(
            overHttp2: overHttp2,
            pipeline: app =>
            {
                app.UseRequestCoalescing();
                if (!aborts)
                {
                    app.Use(static async (context, next) =>
                    {
                        await next(context);
                        throw new InvalidOperationException();
                    });
                }
            });
        var request = app.GetAsync();
        var run = await app.NextRunAsync();
        await run.BeginAsync(200, ("Set-Cookie", "a=1"));
        await run.WriteAsync("half");
        await request.SoonAsync();
        if (aborts) run.Abort();
        else run.End();
        await Assert.ThrowsAnyAsync<Exception>(async () => await (await request).Content.ReadAsStringAsync().SoonAsync());
    }

    [Fact]
    public async Task An_endpoint_that_stalls_within_the_body_is_told()
    {
        var clock = new FakeTimeProvider();
        await using var app = await App.StartAsync(services: services => services.AddSingleflight("requests", options => options.TimeProvider = clock));
        var requests = await app.GetTogetherAsync(2);
        var run = await app.NextRunAsync();
        await run.BeginAsync();
        await run.WriteAsync("half");
        foreach (var request in requests) await request.SoonAsync();
        for (var i = 0; i < 100 && !run.Aborted.IsCompleted; i++)
        {
            clock.Advance(TimeSpan.FromSeconds(31));
            await Task.Delay(10);
        }

        await run.Aborted.SoonAsync();
        foreach (var request in requests) await Assert.ThrowsAnyAsync<Exception>(async () => await (await request).Content.ReadAsStringAsync().SoonAsync());
        run.End();
        await NothingLeftAsync(app);
    }

    [Fact]
    public async Task A_leader_alone_that_leaves_a_response_of_its_own_tells_the_endpoint()
    {
        await using var app = await App.StartAsync();
        var request = app.GetAsync();
        var run = await app.NextRunAsync();
        await run.BeginAsync(200, ("Content-Type", "text/event-stream"));
        await run.WriteAsync("data: 1\n\n");
        (await request.SoonAsync()).Dispose();
        await run.Aborted.SoonAsync();
        run.End();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_HEAD_request_of_a_large_resource_does_not_abort_its_endpoint(bool coalesces)
    {
        await using var app = await App.StartAsync(policies: requests => requests.AddDefaultPolicy(policy => policy.When(_ => coalesces)));
        var request = app.SendAsync(HttpMethod.Head, "/stage", default);
        var run = await app.NextRunAsync();
        for (var i = 0; i < 30; i++)
        {
            await run.Context.Response.Body.WriteAsync(new byte[10_000]);
            await run.Context.Response.Body.FlushAsync();
        }

        await request.SoonAsync();
        await Task.Delay(200);
        Assert.False(run.Aborted.IsCompleted);
        run.End();
    }

    // ---- errors ----

    [Fact]
    public async Task An_error_within_the_body_is_logged()
    {
        await using var app = await App.StartAsync(pipeline: static app =>
        {
            app.UseRequestCoalescing();
            app.MapGet("/fails", static async (HttpContext context) =>
            {
                await context.Response.WriteAsync("half");
                throw new InvalidDataException("of the endpoint");
            }).WithRequestCoalescing();
        });
        await Assert.ThrowsAnyAsync<Exception>(async () => await (await app.GetAsync("/fails")).Content.ReadAsStringAsync().SoonAsync());
        await NothingLeftAsync(app);
        await Task.Delay(200);
        Assert.Contains(app.Logs.GetSnapshot(), static record => record.Level >= LogLevel.Warning && (record.Exception?.ToString() ?? record.Message).Contains("of the endpoint", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_error_of_a_callback_is_logged()
    {
        await using var app = await App.StartAsync();
        var request = app.GetAsync();
        var run = await app.NextRunAsync();
        run.Context.Response.OnCompleted(static () => throw new InvalidDataException("of the callback"));
        await run.RespondAsync("body");
        await TextsAsync(request);
        await Task.Delay(200);
        Assert.Contains(app.Logs.GetSnapshot(), static record => record.Level >= LogLevel.Warning && (record.Exception?.ToString() ?? record.Message).Contains("of the callback", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_error_page_that_coalesces_keeps_its_status(bool coalesces)
    {
        await using var app = await App.StartAsync(pipeline: app =>
        {
            app.UseExceptionHandler("/error");
            app.UseStatusCodePagesWithReExecute("/error");
            app.UseRouting();
            app.UseRequestCoalescing();
            app.MapGet("/fails", static void () => throw new InvalidOperationException());
            var page = app.MapGet("/error", static () => "sorry");
            if (coalesces) page.WithRequestCoalescing();
        });
        var failed = await app.GetAsync("/fails").SoonAsync();
        var missing = await app.GetAsync("/missing").SoonAsync();
        Assert.Equal((HttpStatusCode.InternalServerError, HttpStatusCode.NotFound), (failed.StatusCode, missing.StatusCode));
    }

    [Fact]
    public async Task A_leader_whose_response_is_not_shared_gets_the_one_that_it_would_get_alone()
    {
        await using var app = await App.StartAsync(pipeline: static app =>
        {
            app.Use(static (context, next) =>
            {
                context.User = new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.Name, "ann")], "test")); // for example by a certificate
                return next(context);
            });
            app.UseRequestCoalescing();
            app.MapGet("/me", static (ClaimsPrincipal user) => user.Identity!.IsAuthenticated ? Results.Text(user.Identity.Name) : Results.Unauthorized()).WithRequestCoalescing();
        });
        var (first, second) = (await app.GetAsync("/me").SoonAsync(), await app.GetAsync("/me").SoonAsync());
        Assert.Equal(second.StatusCode, first.StatusCode);
    }

    [Fact]
    public async Task A_bad_request_in_Development_is_a_400()
    {
        await using var app = await App.StartAsync(environment: "Development", pipeline: static app =>
        {
            app.UseRequestCoalescing();
            app.MapGet("/bound", static (int id) => id).WithRequestCoalescing();
        });
        Assert.Equal(HttpStatusCode.BadRequest, (await app.GetAsync("/bound?id=x").SoonAsync()).StatusCode);
    }

    [Fact]
    public async Task A_callback_of_RequestAborted_that_fails_leaves_no_failed_task_behind()
    {
        await Unobserved2.AssertNoneAsync(async () =>
        {
            await using var app = await App.StartAsync();
            using var leaving = new CancellationTokenSource();
            var request = app.SendAsync(HttpMethod.Get, "/stage", leaving.Token);
            var run = await app.NextRunAsync();
            run.Context.RequestAborted.Register(static () => throw new InvalidDataException("callback"));
            await leaving.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);
            await run.Aborted.SoonAsync();
            run.End();
        });
    }

    private static class Unobserved2
    {
        public static async Task AssertNoneAsync(Func<Task> act)
        {
            var unobserved = new List<Exception>();
            void Note(object? sender, UnobservedTaskExceptionEventArgs args)
            {
                lock (unobserved) unobserved.AddRange(args.Exception.Flatten().InnerExceptions.Where(static error => error.ToString().Contains("callback", StringComparison.Ordinal)));
            }

            TaskScheduler.UnobservedTaskException += Note;
            await RunAsync(act);
            for (var i = 0; i < 5; i++)
            {
                await Task.Delay(20);
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }

            TaskScheduler.UnobservedTaskException -= Note;
            lock (unobserved) Assert.Empty(unobserved);

            [MethodImpl(MethodImplOptions.NoInlining)]
            static async Task RunAsync(Func<Task> act) => await act();
        }
    }

    [Fact]
    public async Task Settings_do_not_override_what_the_policy_says_of_credentials()
    {
        Environment.SetEnvironmentVariable("Singleflight__requests-settings__Http__AllowAuthorization", "true");
        try
        {
            await using var app = await App.StartAsync(policies: static requests => requests.AddPolicy("settings", static _ => { }), policy: "settings");
            var request = app.GetAsync("/stage", ("Authorization", "ann"));
            var run = await app.NextRunAsync();
            await run.RespondAsync("");
            await request.SoonAsync();
            Assert.Equal((0, "ann"), ((int)app.FlightsOf("requests-settings").GetStats().Flights, run.Headers.GetValueOrDefault("Authorization")));
        }
        finally
        {
            Environment.SetEnvironmentVariable("Singleflight__requests-settings__Http__AllowAuthorization", null);
        }
    }

    [Theory]
    [InlineData("X-A", "a\r\nX-B: b")]
    [InlineData("X-A", "\u00fc")]
    [InlineData("X A", "a")]
    public async Task A_response_header_that_is_not_valid_is_an_error_as_without_coalescing(string name, string value)
    {
        await using var app = await App.StartAsync(pipeline: app =>
        {
            app.UseRequestCoalescing();
            foreach (var path in new[] { "/plain", "/coalesced" })
            {
                var endpoint = app.MapGet(path, (HttpContext context) =>
                {
                    context.Response.Headers[name] = value;
                    return "body";
                });
                if (path == "/coalesced") endpoint.WithRequestCoalescing();
            }
        });
        Assert.Equal((await app.GetAsync("/plain").SoonAsync()).StatusCode, (await app.GetAsync("/coalesced").SoonAsync()).StatusCode);
    }

    // ---- pipelines ----

    [Fact]
    public async Task The_middleware_twice_works()
    {
        await using var app = await App.StartAsync(pipeline: static app =>
        {
            app.UseRequestCoalescing();
            app.UseRequestCoalescing();
        });
        var request = app.GetAsync();
        var run = await app.NextRunAsync(); // the inner one would join its own flight
        await run.RespondAsync("once");
        Assert.Equal(["once"], await TextsAsync(request));
    }

    [Fact]
    public async Task A_branch_of_its_own_needs_no_authorization()
    {
        await using var app = await App.StartAsync(
            services: static services => services.AddAuthorization().AddAuthentication(),
            pipeline: static app =>
            {
                app.UseRouting();
                app.MapWhen(static context => context.Request.Path.StartsWithSegments("/stage"), static branch =>
                {
                    branch.UseRequestCoalescing();
                    branch.UseEndpoints(static _ => { });
                });
                app.UseAuthentication();
                app.UseAuthorization();
            });
        var request = app.GetAsync();
        await (await app.NextRunAsync()).RespondAsync("public");
        Assert.Equal(["public"], await TextsAsync(request));
    }

    [Fact]
    public async Task A_controller_in_Development_causes_no_warning()
    {
        await using var app = await App.StartAsync(
            environment: "Development",
            services: static services =>
            {
                services.AddSingleton<Signal>();
                services.AddControllers().AddApplicationPart(typeof(PostsController).Assembly);
            },
            pipeline: static app =>
            {
                app.UseRequestCoalescing();
                app.MapControllers();
            });
        app.Services.GetRequiredService<Signal>().SetResult();
        await TextsAsync(app.GetAsync("/posts/7"));
        Assert.DoesNotContain(app.Logs.GetSnapshot(), static record => record.Id.Name == "ReadOutsideKey");
    }

    [Fact]
    public async Task Output_caching_after_it_in_Development_causes_no_warning()
    {
        await using var app = await App.StartAsync(
            environment: "Development",
            services: static services => services.AddOutputCache(static options => options.AddBasePolicy(static policy => policy.Cache())),
            pipeline: static app =>
            {
                app.UseRequestCoalescing();
                app.UseOutputCache();
                app.MapGet("/text", static () => "text").WithRequestCoalescing();
            });
        await TextsAsync(app.GetAsync("/text"));
        Assert.DoesNotContain(app.Logs.GetSnapshot(), static record => record.Id.Name == "ReadOutsideKey");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_startup_class_in_the_right_order_is_no_alarm_and_in_the_wrong_one_is(bool isWrong)
    {
        using var host = new HostBuilder().ConfigureWebHostDefaults(web => web.UseKestrel(static kestrel => kestrel.Listen(IPAddress.Loopback, 0)).ConfigureServices(static services =>
        {
            services.AddRouting().AddRequestCoalescing();
            services.AddAuthentication();
            services.AddAuthorization();
        }).Configure(app =>
        {
            app.UseRouting();
            if (isWrong) app.UseRequestCoalescing();
            app.UseAuthentication();
            app.UseAuthorization();
            if (!isWrong) app.UseRequestCoalescing();
            app.UseEndpoints(static endpoints => endpoints.MapGet("/", static () => "hello").WithRequestCoalescing());
        })).Build();
        if (isWrong)
        {
            await Assert.ThrowsAsync<InvalidOperationException>(() => host.StartAsync());
        }
        else
        {
            await host.StartAsync();
            await host.StopAsync();
        }
    }

    [Fact]
    public async Task A_WebHostBuilder_checks_the_policies_too()
    {
        using var host = new WebHostBuilder().UseKestrel(static kestrel => kestrel.Listen(IPAddress.Loopback, 0)).ConfigureServices(static services => services.AddRouting().AddRequestCoalescing()).Configure(static app =>
        {
            app.UseRouting();
            app.UseRequestCoalescing();
            app.UseEndpoints(static endpoints => endpoints.MapGet("/", static () => "hello").WithRequestCoalescing("unknown"));
        }).Build();
        await Assert.ThrowsAsync<InvalidOperationException>(() => host.StartAsync());
    }

    [Fact]
    public async Task A_branch_whose_delegate_runs_the_endpoint_needs_no_authorization()
    {
        await using var app = await App.StartAsync(
            services: static services => services.AddAuthorization().AddAuthentication(),
            pipeline: static app =>
            {
                app.UseRouting();
                app.MapWhen(static context => context.Request.Path.StartsWithSegments("/stage"), static branch =>
                {
                    branch.UseRequestCoalescing();
                    branch.Run(static context => context.GetEndpoint()!.RequestDelegate!(context));
                });
                app.UseAuthentication();
                app.UseAuthorization();
            });
        var request = app.GetAsync();
        await (await app.NextRunAsync()).RespondAsync("public");
        Assert.Equal(["public"], await TextsAsync(request));
    }

    [Fact]
    public async Task Response_caching_before_it_does_not_store_a_body_that_broke_off()
    {
        await using var app = await App.StartAsync(
            services: static services => services.AddResponseCaching(),
            pipeline: static app =>
            {
                app.UseResponseCaching();
                app.UseRequestCoalescing();
            });
        var request = app.GetAsync();
        var run = await app.NextRunAsync();
        await run.BeginAsync(200, ("Cache-Control", "public, max-age=60"));
        await run.WriteAsync("half");
        var response = await request.SoonAsync();
        run.Abort();
        await Assert.ThrowsAnyAsync<Exception>(() => response.Content.ReadAsStringAsync().SoonAsync());
        await NothingLeftAsync(app);
        await Task.Delay(100);
        var again = app.GetAsync();
        var next = await Task.WhenAny(again, app.NextRunAsync()).SoonAsync();
        if (next == again) Assert.Fail($"The cache has answered '{await (await again).Content.ReadAsStringAsync()}'.");
        await ((Task<RequestCoalescing.Http.Tests.Exchange>)next).Result.RespondAsync("whole");
    }

    [Fact]
    public async Task An_upgrade_to_WebSockets_on_an_endpoint_that_coalesces_works()
    {
        await using var app = await App.StartAsync(pipeline: static app =>
        {
            app.UseWebSockets();
            app.UseRequestCoalescing();
            app.MapGet("/socket", static async (HttpContext context) =>
            {
                using var socket = await context.WebSockets.AcceptWebSocketAsync();
                await socket.SendAsync("hello"u8.ToArray(), System.Net.WebSockets.WebSocketMessageType.Text, true, default);
            }).WithRequestCoalescing();
        });
        using var client = new System.Net.WebSockets.ClientWebSocket();
        await client.ConnectAsync(new Uri($"ws://127.0.0.1:{app.Client.BaseAddress!.Port}/socket"), default);
        var buffer = new byte[10];
        Assert.Equal(5, (await client.ReceiveAsync(buffer, default)).Count);
    }

    [Fact]
    public async Task Results_of_minimal_APIs_work()
    {
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "0123456789");
        await using var app = await App.StartAsync(pipeline: app =>
        {
            app.UseRequestCoalescing();
            var group = app.MapGroup("/r").WithRequestCoalescing();
            group.MapGet("/stream", static () => Results.Stream(static stream => stream.WriteAsync("stream"u8.ToArray()).AsTask()));
            group.MapGet("/file", () => Results.File(file, "text/plain", enableRangeProcessing: true, entityTag: new Microsoft.Net.Http.Headers.EntityTagHeaderValue("\"1\"")));
            group.MapGet("/events", static () => TypedResults.ServerSentEvents(Events()));
            group.MapGet("/many", static () => Many());
            group.MapGet("/redirect", static () => Results.Redirect("/r/stream"));
            group.MapGet("/problem", static () => Results.Problem("oh"));
        });
        for (var round = 0; round < 2; round++)
        {
            Assert.Equal(["stream", "0123456789", "data: a\n\ndata: b\n\n", "[1,2]", ""], await TextsAsync(app.GetAsync("/r/stream"), app.GetAsync("/r/file"), app.GetAsync("/r/events"), app.GetAsync("/r/many"), app.GetAsync("/r/redirect")));
            Assert.Equal(["234"], await TextsAsync(app.GetAsync("/r/file", ("Range", "bytes=2-4"))));
            Assert.Equal(HttpStatusCode.NotModified, (await app.GetAsync("/r/file", ("If-None-Match", "\"1\""))).StatusCode);
            Assert.Equal(HttpStatusCode.InternalServerError, (await app.GetAsync("/r/problem")).StatusCode);
        }

        await NothingLeftAsync(app);

        static async IAsyncEnumerable<string> Events()
        {
            yield return "a";
            await Task.Yield();
            yield return "b";
        }

        static async IAsyncEnumerable<int> Many()
        {
            yield return 1;
            await Task.Yield();
            yield return 2;
        }
    }

    [Theory]
    [InlineData("before headers", false)]
    [InlineData("before headers", true)]
    [InlineData("in body", false)]
    [InlineData("in body", true)]
    public async Task All_leave_and_nothing_is_left(string stage, bool ignoresToken)
    {
        await using var app = await App.StartAsync(services: static services => services.AddScoped<Scope>());
        using var leaving = new CancellationTokenSource();
        var requests = Enumerable.Range(0, 3).Select(_ => app.SendAsync(HttpMethod.Get, "/stage", leaving.Token)).ToArray();
        await app.Flights.UntilSubscribersAsync(3);
        var run = await app.NextRunAsync();
        var scope = run.Context.RequestServices.GetRequiredService<Scope>();
        if (stage == "in body")
        {
            await run.BeginAsync();
            await run.WriteAsync(new byte[500_000]);
            foreach (var request in requests) (await request.SoonAsync()).Dispose();
        }
        else
        {
            await leaving.CancelAsync();
            foreach (var request in requests) await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);
        }

        await run.Aborted.SoonAsync();
        Assert.False(scope.Disposed.Task.IsCompleted);
        if (ignoresToken)
        {
            for (var i = 0; i < 10; i++) await run.WriteAsync(new byte[100_000]).SoonAsync();
        }

        run.End();
        await scope.Disposed.Task.SoonAsync();
        await NothingLeftAsync(app);
    }

    [Fact]
    public async Task The_host_stops_while_a_run_ignores_its_token()
    {
        var app = await App.StartAsync(services: static services => services.AddScoped<Scope>());
        var requests = await app.GetTogetherAsync(2);
        var run = await app.NextRunAsync();
        await run.BeginAsync();
        var scope = run.Context.RequestServices.GetRequiredService<Scope>();
        await app.DisposeAsync();
        await run.Aborted.SoonAsync();
        await run.WriteAsync("late").SoonAsync();
        run.End();
        await scope.Disposed.Task.SoonAsync();
    }

    [Fact]
    public async Task A_run_that_fails_by_its_own_cancellation_after_the_leader_has_left_starts_again_for_the_others()
    {
        await using var app = await App.StartAsync();
        using var leaving = new CancellationTokenSource();
        var leader = app.SendAsync(HttpMethod.Get, "/stage", leaving.Token);
        var run = await app.NextRunAsync();
        var other = app.GetAsync();
        await app.Flights.UntilSubscribersAsync(2);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leader);
        await app.Flights.UntilSubscribersAsync(1);
        run.Context.Abort();
        run.End();
        var done = await Task.WhenAny(other, app.NextRunAsync()).SoonAsync();
        if (done is Task<RequestCoalescing.Http.Tests.Exchange> again) await again.Result.RespondAsync("again");
        _ = await other.SoonAsync();
    }
}

using System.Text;
using Microsoft.AspNetCore.Http;

namespace RequestCoalescing.Http.Tests;

/// <summary>One request at the origin, and what the test answers.</summary>
public sealed class Exchange
{
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _aborted = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Exchange(HttpContext context)
    {
        Context = context;
        Target = context.Request.Path + context.Request.QueryString;
        Headers = context.Request.Headers.ToDictionary(static header => header.Key, static header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase);
        context.RequestAborted.Register(() => _aborted.TrySetResult());
    }

    public HttpContext Context { get; }

    /// <summary>The path and the query.</summary>
    public string Target { get; }

    public IReadOnlyDictionary<string, string> Headers { get; }

    public Task Ended => _ended.Task;

    /// <summary>Completes when the connection, or the stream of it, is gone.</summary>
    public Task Aborted => _aborted.Task;

    /// <summary>Sends a whole response.</summary>
    public async Task RespondAsync(string body, int status = 200, params (string Name, string Value)[] headers)
    {
        await BeginAsync(status, headers);
        await WriteAsync(body);
        End();
    }

    /// <summary>Sends the headers.</summary>
    public async Task BeginAsync(int status = 200, params (string Name, string Value)[] headers)
    {
        Context.Response.StatusCode = status;
        foreach (var (name, value) in headers) Context.Response.Headers.Append(name, value);
        await Context.Response.Body.FlushAsync();
    }

    public Task WriteAsync(string text) => WriteAsync(Encoding.UTF8.GetBytes(text));

    public async Task WriteAsync(byte[] bytes)
    {
        if (HttpMethods.IsHead(Context.Request.Method) || Context.Response.StatusCode is 204 or 304) return;
        await Context.Response.Body.WriteAsync(bytes);
        await Context.Response.Body.FlushAsync();
    }

    public void End() => _ended.TrySetResult();

    /// <summary>Breaks the connection off.</summary>
    public void Abort()
    {
        Context.Abort();
        End();
    }
}

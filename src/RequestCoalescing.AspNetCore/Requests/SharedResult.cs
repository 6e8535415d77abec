using System.Buffers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>Writes a shared response to one caller.</summary>
internal static class SharedResult
{
    private const int BufferSize = 32 * 1024;

    /// <summary>Writes the status, the headers, the body as it arrives, and the trailers. If the body breaks off, the caller's connection does too.</summary>
    public static async Task WriteAsync(HttpResponseMessage shared, HttpContext context)
    {
        var response = context.Response;
        response.StatusCode = (int)shared.StatusCode;
        if (shared.ReasonPhrase is { Length: > 0 } reason && context.Features.Get<IHttpResponseFeature>() is { } feature) feature.ReasonPhrase = reason;
        foreach (var (name, values) in shared.Headers.NonValidated) Add(name, values.ToArray());
        foreach (var (name, values) in shared.Content.Headers.NonValidated) Add(name, values.ToArray());
        try
        {
            using var body = await shared.Content.ReadAsStreamAsync(context.RequestAborted).ConfigureAwait(false);
            var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
            while (true)
            {
                var read = body.ReadAsync(buffer, context.RequestAborted);
                if (!read.IsCompleted) await response.Body.FlushAsync(context.RequestAborted).ConfigureAwait(false); // what is there does not wait for the rest
                var count = await read.ConfigureAwait(false);
                if (count == 0) break;
                await response.Body.WriteAsync(buffer.AsMemory(0, count), context.RequestAborted).ConfigureAwait(false);
            }

            ArrayPool<byte>.Shared.Return(buffer); // if a read has failed, it may still go on
        }
        catch
        {
            context.Abort(); // what has been sent must not look whole
            throw; // and no cache outside must take it for whole
        }

        if (context.Features.Get<IHttpResponseTrailersFeature>() is { Trailers.IsReadOnly: false } trailers)
        {
            foreach (var (name, values) in shared.TrailingHeaders.NonValidated) trailers.Trailers.Append(name, values.ToArray());
        }

        void Add(string name, StringValues values)
        {
            // Middleware that was added earlier may have set these too.
            if (name.Equals("Vary", StringComparison.OrdinalIgnoreCase) || name.Equals("Set-Cookie", StringComparison.OrdinalIgnoreCase)) response.Headers.Append(name, values);
            else response.Headers[name] = values;
        }
    }
}

using System.Net;
using RequestCoalescing.Http;

namespace RequestCoalescing.Yarp;

/// <summary>Forwards requests, and coalesces those whose route has opted in.</summary>
internal sealed class CoalescingForwarder(HttpMessageInvoker inner) : HttpMessageHandler
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (RouteOptIn.Take(request) is not { } choice) return await inner.SendAsync(request, cancellationToken).ConfigureAwait(false);
        try
        {
            return (await choice.Policy.Coalescer.SendAsync(
                request,
                choice.Origin,
                scope: null,
                (shared, token) =>
                {
                    FlightTags.SetServer(shared.RequestUri);
                    return inner.SendAsync(shared, token);
                },
                async () => await SendAloneAsync(request, choice.Policy, cancellationToken).ConfigureAwait(false),
                cancellationToken).ConfigureAwait(false))!;
        }
        catch (FlightTimeoutException late)
        {
            throw new OperationCanceledException(late.Message, late); // the proxy answers it with 504
        }
        catch (FlightRejectedException)
        {
            var refused = new HttpResponseMessage(HttpStatusCode.ServiceUnavailable) { RequestMessage = request };
            refused.Headers.TryAddWithoutValidation("Retry-After", "1");
            return refused;
        }
    }

    // The time until the headers is the same for requests that are not shared. An upload takes the time that it takes.
    private async Task<HttpResponseMessage> SendAloneAsync(HttpRequestMessage request, ProxyPolicy policy, CancellationToken cancellationToken)
    {
        if (request.Content is not null) return await inner.SendAsync(request, cancellationToken).ConfigureAwait(false);
        using var late = new CancellationTokenSource(policy.Limits().MaxDuration, policy.Limits().TimeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        return await inner.SendAsync(request, either.Token).ConfigureAwait(false);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) inner.Dispose();
        base.Dispose(disposing);
    }
}

namespace RequestCoalescing.Http.Tests;

/// <summary>Stands before the origin, and answers requests itself.</summary>
/// <param name="answer">Returns the response. Null if the origin answers.</param>
internal sealed class Answering(Func<HttpRequestMessage, Task<HttpResponseMessage>?> answer) : DelegatingHandler
{
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        answer(request) ?? base.SendAsync(request, cancellationToken);
}

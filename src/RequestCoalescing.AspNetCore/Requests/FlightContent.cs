using System.Net;

namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>The body that an endpoint writes. If it is disposed of before its end, the endpoint is told that no caller reads it.</summary>
internal sealed class FlightContent(FlightBodyStream body, Action leave) : HttpContent
{
    protected override Task<Stream> CreateContentReadStreamAsync() => Task.FromResult<Stream>(body);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => body.CopyToAsync(stream);

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            leave();
            body.Dispose();
        }

        base.Dispose(disposing);
    }
}

using System.IO.Pipelines;
using System.Net;

namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>The body that an endpoint writes. If it is disposed of before its end, the endpoint is told that nobody reads it.</summary>
internal sealed class FlightContent(PipeReader reader, Action leave) : HttpContent
{
    private readonly Stream _stream = reader.AsStream(leaveOpen: true);

    protected override Task<Stream> CreateContentReadStreamAsync() => Task.FromResult(_stream);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => _stream.CopyToAsync(stream);

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
            reader.Complete();
        }

        base.Dispose(disposing);
    }
}

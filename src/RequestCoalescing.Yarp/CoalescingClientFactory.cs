using Yarp.ReverseProxy.Forwarder;

namespace RequestCoalescing.Yarp;

/// <summary>Puts coalescing around the clients that another factory makes.</summary>
internal sealed class CoalescingClientFactory(IForwarderHttpClientFactory inner) : IForwarderHttpClientFactory
{
    public HttpMessageInvoker CreateClient(ForwarderHttpClientContext context)
    {
        var old = context.OldClient as Client;
        var client = inner.CreateClient(new ForwarderHttpClientContext
        {
            ClusterId = context.ClusterId,
            OldConfig = context.OldConfig,
            OldMetadata = context.OldMetadata,
            OldClient = old?.Inner,
            NewConfig = context.NewConfig,
            NewMetadata = context.NewMetadata,
        });
        return old is not null && client == old.Inner ? old : new Client(client);
    }

    private sealed class Client(HttpMessageInvoker inner) : HttpMessageInvoker(new CoalescingForwarder(inner), disposeHandler: true)
    {
        public HttpMessageInvoker Inner => inner;
    }
}

using RequestCoalescing.Http.Rules;

namespace RequestCoalescing.Http.Cluster;

/// <summary>
/// Lets the nodes of a cluster share one request. Each node has at most one flight a request, and of those flights, one sends. Its response crosses to the others
/// whole, when its body has arrived. A response that cannot be shared, or is too large, stays with its node, and the others send for themselves.
/// </summary>
internal sealed class ClusterOrigin(ISingleflight<string> cluster, HttpCoalescingOptions options)
{
    /// <summary>Sends a request, or takes the response of the node that does.</summary>
    /// <param name="key">The key. All nodes make the same one.</param>
    /// <param name="head">What the request is made of. Handlers may change the request.</param>
    /// <param name="sent">The request that is sent.</param>
    /// <param name="send">Sends it.</param>
    /// <param name="cancellationToken">The token of this node's flight.</param>
    public async Task<HttpResponseMessage> SendAsync(
        string key,
        RequestHead head,
        HttpRequestMessage sent,
        Func<HttpRequestMessage, CancellationToken, Task<HttpResponseMessage>> send,
        CancellationToken cancellationToken)
    {
        var lead = new Lead(head, sent, send, options);
        byte[] packed;
        try
        {
            packed = await cluster.ExecuteAsync(key, lead, static (lead, flight) => lead.RunAsync(flight.CancellationToken), cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            lead.Own?.Dispose();
            throw;
        }

        // This node has it, with all that does not cross.
        if (lead.Own is { } own) return own;
        return packed.Length > 0 ? WholeResponse.Unpack(packed) : await send(sent, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>This node's part, if it sends for the cluster.</summary>
    private sealed class Lead(
        RequestHead head,
        HttpRequestMessage sent,
        Func<HttpRequestMessage, CancellationToken, Task<HttpResponseMessage>> send,
        HttpCoalescingOptions options)
    {
        public HttpResponseMessage? Own { get; private set; }

        /// <returns>The response for the other nodes. Empty if they send for themselves.</returns>
        public async ValueTask<byte[]> RunAsync(CancellationToken cancellationToken)
        {
            var response = await send(sent, cancellationToken).ConfigureAwait(false);
            Own = response;
            if (!ResponseRules.MayShare(response, options.Mode, head.HasGainedCredentials(sent))) return [];
            var (content, body) = (response.Content, await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false));
            var start = new MemoryStream();
            var buffer = new byte[16 * 1024];
            while (start.Length <= options.MaxClusterBodyBytes)
            {
                var count = await body.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
                if (count == 0)
                {
                    Replace(response, new ByteArrayContent(start.ToArray()));
                    content.Dispose();
                    return WholeResponse.Pack(response, start.ToArray());
                }

                start.Write(buffer.AsSpan(0, count));
            }

            Replace(response, new StreamContent(new PrefixedStream(start.ToArray(), body, content))); // too large
            return [];
        }

        // This node's callers read again the bytes that have been read.
        private static void Replace(HttpResponseMessage response, HttpContent content)
        {
            foreach (var (name, values) in response.Content.Headers.NonValidated) content.Headers.AddLines(name, values);
            response.Content = content;
        }
    }
}

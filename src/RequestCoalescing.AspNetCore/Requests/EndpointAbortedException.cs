namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>The endpoint has aborted its response. Each caller's connection breaks off.</summary>
internal sealed class EndpointAbortedException() : IOException("The endpoint has aborted its response.");

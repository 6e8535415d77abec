namespace RequestCoalescing.Http;

/// <summary>For which kind of cache a response must be storable so that it may be shared (RFC 9111, section 3).</summary>
public enum SharingMode
{
    /// <summary>As in a shared cache: <c>Cache-Control: private</c> keeps a response from being shared. Right if requests come from several users.</summary>
    Shared,

    /// <summary>As in the private cache of one user.</summary>
    Private,
}

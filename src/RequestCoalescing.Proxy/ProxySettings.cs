namespace RequestCoalescing.Proxy;

/// <summary>The settings of the command line.</summary>
internal sealed record ProxySettings
{
    /// <summary>The addresses to listen on.</summary>
    public required IReadOnlyList<Uri> Listen { get; init; }

    /// <summary>The servers that answer. They serve the same. Empty if the configuration file has the routes.</summary>
    public IReadOnlyList<Uri> Origins { get; init; } = [];

    /// <summary>The address of the health check, the statistics, the metrics and the live page. Null for none.</summary>
    public Uri? Admin { get; init; }

    /// <summary>The configuration file. Null for none.</summary>
    public string? Config { get; init; }

    /// <summary>How long an origin may take until its headers. Null for that of the configuration file, or the default.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>The connection to Redis, by which several proxies share requests. Null if each sends for itself.</summary>
    public string? Redis { get; init; }
}

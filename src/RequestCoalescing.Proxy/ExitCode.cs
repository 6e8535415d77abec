namespace RequestCoalescing.Proxy;

/// <summary>The exit codes.</summary>
internal static class ExitCode
{
    public const int Success = 0;

    /// <summary>The proxy cannot start, for example because its port is in use.</summary>
    public const int Failure = 1;

    /// <summary>The command line, or the configuration, is wrong.</summary>
    public const int Usage = 2;
}

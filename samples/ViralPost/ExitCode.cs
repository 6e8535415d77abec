namespace ViralPost;

/// <summary>The exit codes that all samples share. samples/README.md lists them.</summary>
internal static class ExitCode
{
    public const int Success = 0;
    public const int Failure = 1;
    public const int Usage = 2;

    /// <summary>Ctrl+C ended the run: 128 plus the number of SIGINT.</summary>
    public const int Interrupted = 130;
}

namespace ViralPost.Tests;

/// <summary>The exit code and the output of the sample.</summary>
internal sealed record SampleResult(int ExitCode, string Output, string Error);

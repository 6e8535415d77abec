namespace ViralPost.Tests;

/// <summary>How the sample ended.</summary>
internal sealed record SampleResult(int ExitCode, string Output, string Error);

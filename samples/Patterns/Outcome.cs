using System.Diagnostics.CodeAnalysis;

namespace Patterns;

/// <summary>The measurements of a pattern.</summary>
/// <param name="Asked">How many callers asked.</param>
/// <param name="BackendSaw">How often the backend was asked.</param>
/// <param name="Unit">Words that follow the number of the backend, if it counts more than queries or requests.</param>
/// <param name="Expected">How often the backend should have been asked.</param>
internal sealed record Outcome(int Asked, int BackendSaw, string Unit = "", int Expected = 1)
{
    public override string ToString() => $"asked {Asked:N0} times, backend saw {$"{BackendSaw:N0} {Unit}".TrimEnd()}";

    /// <summary>Ends a pattern that has measured something unexpected.</summary>
    public static void Expect([DoesNotReturnIf(false)] bool condition, string problem)
    {
        if (!condition) throw new InvalidOperationException(problem);
    }
}

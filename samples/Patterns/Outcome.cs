using System.Diagnostics.CodeAnalysis;

namespace Patterns;

/// <summary>What a pattern measured.</summary>
/// <param name="Asked">How many callers asked.</param>
/// <param name="BackendSaw">How often the backend was asked.</param>
/// <param name="Unit">What the backend saw, if it is more than a query or a request. It follows the number.</param>
internal sealed record Outcome(int Asked, int BackendSaw, string Unit = "")
{
    public override string ToString() => $"asked {Asked:N0} times, backend saw {$"{BackendSaw:N0} {Unit}".TrimEnd()}";

    /// <summary>Ends a pattern that has measured something unexpected.</summary>
    public static void Expect([DoesNotReturnIf(false)] bool condition, string problem)
    {
        if (!condition) throw new InvalidOperationException(problem);
    }
}

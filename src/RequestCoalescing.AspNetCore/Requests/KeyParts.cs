using System.Security.Claims;

namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>The parts of a key that the request line and the headers do not show.</summary>
/// <param name="Text">All of them as one text.</param>
/// <param name="Values">The values that the policy reads.</param>
/// <param name="User">The user that the endpoint sees.</param>
internal sealed record KeyParts(string Text, List<(string Name, string? Value)> Values, ClaimsPrincipal User);

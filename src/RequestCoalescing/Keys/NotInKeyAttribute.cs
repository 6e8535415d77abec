namespace RequestCoalescing;

/// <summary>
/// Leaves a parameter of a method with <see cref="CoalesceAttribute"/> out of the key. Callers that differ in this parameter alone share one run, which
/// gets the value of the first of them. Mark only what cannot change the result, and never the viewer or the tenant.
/// </summary>
/// <param name="reason">Says why the result does not depend on the parameter. It must not be empty (RC112).</param>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class NotInKeyAttribute(string reason) : Attribute
{
    /// <summary>Says why the result does not depend on the parameter.</summary>
    public string Reason { get; } = reason;
}

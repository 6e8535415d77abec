namespace RequestCoalescing.Analyzers.Flow;

/// <summary>Names the properties by which a rule informs its fix.</summary>
internal static class KeyParts
{
    /// <summary>The name of the property that has the expression to add to the key. The key's place is the first additional location.</summary>
    public const string Part = "Part";
}

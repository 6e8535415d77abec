namespace RequestCoalescing;

/// <summary>
/// A key whose text identifies it: two keys of the same type have the same text if, and only if, they are equal. The compiler implements it for a
/// <c>partial record struct</c> with <see cref="CoalescingKeyAttribute"/>; do not implement it by hand.
/// </summary>
/// <remarks>The text is the same in every culture, and formats are ignored. <c>docs/keys.md</c> describes it.</remarks>
public interface ICoalescingKey : ISpanFormattable, IUtf8SpanFormattable
{
    /// <summary>Writes the text of this key.</summary>
    /// <param name="writer">Writes the parts of the key, one after the other.</param>
    void WriteTo(ref KeyWriter writer);
}

namespace RequestCoalescing;

/// <summary>
/// Marks a <c>partial record struct</c> as a key. The compiler then generates its text: two keys have the same text if, and only if, they are equal.
/// The text does not depend on the culture, the process or the version of this library, so that nodes can share it through Redis.
/// </summary>
/// <remarks>
/// <para>The parts of the key are the parameters of the record. Each is a string, a <c>char</c>, a <c>bool</c>, a number, a <see cref="Guid"/>, a
/// date, a time, an enum, another generated key, or a <see cref="Nullable{T}"/> of these. The compiler refuses other types (RC102).</para>
/// <para>Strings are compared ordinally. A <see cref="DateTime"/> equals another only if both have the same <see cref="DateTime.Kind"/>, and a
/// <see cref="DateTimeOffset"/> only if both have the same <see cref="DateTimeOffset.Offset"/>, because work can see the difference.</para>
/// </remarks>
/// <example>
/// <code>
/// [CoalescingKey]
/// public readonly partial record struct PostKey(string Id, int Limit);
/// </code>
/// </example>
[AttributeUsage(AttributeTargets.Struct)]
public sealed class CoalescingKeyAttribute : Attribute
{
    /// <summary>
    /// The name at the beginning of the text. Default null: the name of the type. Letters, digits and <c>. - _ : /</c> are allowed. Set it to keep the
    /// text when the type gets another name, or to change the text when the meaning of a part changes.
    /// </summary>
    public string? Name { get; set; }
}

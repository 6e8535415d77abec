namespace RequestCoalescing.Analyzers.Generators;

/// <summary>Says how a part of a key is written and compared.</summary>
internal enum PartKind
{
    Plain,
    Enum,
    Key,
    DateTime,
    DateTimeOffset,
}

/// <summary>A part of a key: a property of the record.</summary>
/// <param name="Name">The name of the property.</param>
/// <param name="Type">Its type, in full.</param>
/// <param name="Kind">How it is written and compared.</param>
/// <param name="IsNullable">Whether it is a <see cref="Nullable{T}"/>.</param>
/// <param name="Number">The type of an enum's numbers.</param>
internal sealed record KeyPart(string Name, string Type, PartKind Kind, bool IsNullable, string Number);

/// <summary>A key whose text is to be generated.</summary>
/// <param name="Name">The name of the type.</param>
/// <param name="Text">The name at the beginning of its text.</param>
/// <param name="Parts">Its parts, in order.</param>
internal sealed record KeyModel(string Name, string Text, EquatableArray<KeyPart> Parts);

/// <summary>The place of a declaration.</summary>
/// <param name="Namespace">The namespace; empty for the global one.</param>
/// <param name="Types">The headers of the types around it, from the outside in, such as <c>partial class Posts</c>.</param>
internal sealed record Place(string Namespace, EquatableArray<string> Types);

/// <summary>A record with the attribute for keys.</summary>
/// <param name="File">The name of the generated file.</param>
/// <param name="Place">Where the record is declared.</param>
/// <param name="Key">The key.</param>
internal sealed record DeclaredKey(string File, Place Place, KeyModel Key);

using Microsoft.CodeAnalysis.CSharp;

namespace RequestCoalescing.Analyzers.Generators;

/// <summary>Writes the members of a key.</summary>
internal static class KeyEmitter
{
    public const string Interface = "global::RequestCoalescing.ICoalescingKey";
    private const string Writer = "global::RequestCoalescing.KeyWriter";

    public static string Emit(DeclaredKey declared)
    {
        var code = new CodeWriter();
        code.Enter(declared.Place);
        code.Open($"partial record struct {declared.Key.Name} : {Interface}");
        WriteMembers(code, declared.Key);
        return code.ToString();
    }

    /// <summary>Writes the text of a key and, where the compiler's own equality is not that of the texts, the equality.</summary>
    public static void WriteMembers(CodeWriter code, KeyModel key)
    {
        code.Line("/// <summary>Returns the text of this key. Two keys have the same text if, and only if, they are equal.</summary>");
        code.Line(CodeWriter.Generated);
        code.Line($"public override readonly string ToString() => {Writer}.ToString(this);");
        code.Line();
        code.Line("/// <summary>Writes the text of this key. The format and the provider are ignored.</summary>");
        WriteTryFormat(code, "char", "destination", "charsWritten");
        code.Line();
        code.Line("/// <summary>Writes the text of this key as UTF-8. The format and the provider are ignored.</summary>");
        WriteTryFormat(code, "byte", "utf8Destination", "bytesWritten");
        if (key.Parts.Any(part => part.Kind is PartKind.DateTime or PartKind.DateTimeOffset)) WriteEquality(code, key);
        code.Line();
        code.Line(CodeWriter.Generated);
        code.Line("readonly string global::System.IFormattable.ToString(string? format, global::System.IFormatProvider? formatProvider) => ToString();");
        code.Line();
        code.Line(CodeWriter.Generated);
        var writer = Unused("writer", key);
        code.Open($"readonly void {Interface}.WriteTo(ref {Writer} {writer})");
        code.Line($"{writer}.Begin({SymbolDisplay.FormatLiteral(key.Text, quote: true)});");
        for (var i = 0; i < key.Parts.Count; i++) code.Line(Add(key.Parts[i], writer, Unused($"part{i + 1}", key)));
        code.Line($"{writer}.End();");
        code.Close();
    }

    private static void WriteTryFormat(CodeWriter code, string unit, string destination, string written)
    {
        code.Line(CodeWriter.Generated);
        code.Line("public readonly bool TryFormat(");
        code.Indented(
            $"global::System.Span<{unit}> {destination},",
            $"out int {written},",
            "global::System.ReadOnlySpan<char> format = default,",
            $"global::System.IFormatProvider? provider = null) => {Writer}.TryFormat(this, {destination}, out {written});");
    }

    private static void WriteEquality(CodeWriter code, KeyModel key)
    {
        code.Line();
        code.Line("/// <summary>Compares all parts. Times are equal only if they have the same kind or offset, too.</summary>");
        code.Line(CodeWriter.Generated);
        var (other, hash) = (Unused("other", key), Unused("hash", key));
        code.Line($"public readonly bool Equals({key.Name} {other}) =>");
        code.Indented([.. key.Parts.Select((part, i) => Equal(part, other) + (i == key.Parts.Count - 1 ? ";" : " &&"))]);
        code.Line();
        code.Line("/// <summary>Returns the hash of all parts.</summary>");
        code.Line(CodeWriter.Generated);
        code.Open("public override readonly int GetHashCode()");
        code.Line($"var {hash} = new global::System.HashCode();");
        foreach (var part in key.Parts) code.Line($"{hash}.Add({part.Name});");
        code.Line($"return {hash}.ToHashCode();");
        code.Close();
    }

    private static string Add(KeyPart part, string writer, string value) =>
        part.IsNullable ? $"if ({part.Name} is {{ }} {value}) {AddValue(part, writer, value)} else {writer}.AddNull();" : AddValue(part, writer, part.Name);

    private static string AddValue(KeyPart part, string writer, string value) => part.Kind switch
    {
        PartKind.Enum => $"{writer}.Add(({part.Number}){value});",
        PartKind.Key => $"{writer}.AddKey({value});",
        _ => $"{writer}.Add({value});",
    };

    private static string Equal(KeyPart part, string other)
    {
        var (mine, theirs) = (part.Name, $"{other}.{part.Name}");
        var (one, two) = part.IsNullable ? ($"{mine}.GetValueOrDefault()", $"{theirs}.GetValueOrDefault()") : (mine, theirs);
        var isNull = part.IsNullable ? $"{mine}.HasValue == {theirs}.HasValue && " : "";
        return part.Kind switch
        {
            PartKind.DateTime => $"{isNull}{one}.Ticks == {two}.Ticks && {one}.Kind == {two}.Kind",
            PartKind.DateTimeOffset => $"{isNull}{one}.EqualsExact({two})",
            _ => $"global::System.Collections.Generic.EqualityComparer<{part.Type}>.Default.Equals({mine}, {theirs})",
        };
    }

    // A part of the same name would be hidden.
    private static string Unused(string name, KeyModel key)
    {
        while (key.Parts.Any(part => part.Name == name)) name += "_";
        return name;
    }
}

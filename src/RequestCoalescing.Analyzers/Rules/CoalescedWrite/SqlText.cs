using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.CoalescedWrite;

/// <summary>Reads the SQL that stands in the code as text.</summary>
internal static class SqlText
{
    private const RegexOptions Options = RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.Singleline;

    private static readonly Regex s_write = new(
        @"^(?:\s|--[^\n]*\n|/\*.*?\*/)*(?<verb>INSERT(?=\s+(INTO|OR|IGNORE)\b)|UPDATE(?=\s+\S.*?\bSET\b)|DELETE(?=\s+(FROM\b|\S+\s+WHERE\b))|MERGE(?=\s+\S.*?\bUSING\b)|REPLACE(?=\s+INTO\b)|UPSERT(?=\s+INTO\b))",
        Options);

    private static readonly Regex s_other = new(@"^(?:\s|--[^\n]*\n|/\*.*?\*/)*(SELECT|WITH|SET|PRAGMA|USE|EXPLAIN|SHOW|DECLARE)\b", Options);

    /// <summary>The verb with which a text writes. Null if it is no text, or no statement that writes.</summary>
    public static string? Verb(IOperation value) => Text(value) is { } text && s_write.Match(text) is { Success: true } match ? match.Groups["verb"].Value.ToUpperInvariant() : null;

    /// <summary>Whether a text is a statement that begins as a read, or that only sets up the connection.</summary>
    public static bool IsOther(IOperation value) => Text(value) is { } text && s_other.IsMatch(text);

    /// <summary>The text as far as the code shows it. A part that is put in at run time stands as one word. Unfinished code can make a text of itself.</summary>
    private static string? Text(IOperation value, int depth = 0)
    {
        var text = value.WithoutConversions();
        if (text.ConstantValue is { HasValue: true, Value: string constant }) return constant;
        return text switch
        {
            IInterpolatedStringHandlerCreationOperation handler => Text(handler.Content, depth),
            IInterpolatedStringOperation interpolated => string.Concat(interpolated.Parts.Select(part => part is IInterpolatedStringTextOperation literal ? Text(literal.Text) : "x")),
            IBinaryOperation { OperatorKind: BinaryOperatorKind.Add } sum => Text(sum.LeftOperand, depth) is { } left ? left + (Text(sum.RightOperand, depth) ?? "x") : null,
            ILocalReferenceOperation local when depth < 4 && text.OnlyValueOf(local.Local) is { } only && only.WithoutConversions() is not ILocalReferenceOperation => Text(only, depth + 1),
            _ => null,
        };
    }
}

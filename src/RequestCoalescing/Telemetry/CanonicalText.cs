using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace RequestCoalescing.Telemetry;

/// <summary>
/// Gives equal keys the same text on every node, where their own <c>ToString</c> would not: <c>1m</c> and <c>1.00m</c>, the same moment in
/// two offsets, zero and negative zero.
/// </summary>
internal static class CanonicalText
{
    private static readonly ConditionalWeakTable<Type, MemberInfo[]> s_records = [];

    /// <summary>Returns the text, or null if the key's own text serves.</summary>
    public static string? Of(object key) => key switch
    {
        string => null,
        decimal value => value == 0 ? "0" : value.ToString("G29", CultureInfo.InvariantCulture), // no trailing zeros
        double value => value == 0 ? "0" : null,
        float value => value == 0 ? "0" : null,
        Half value => value == Half.Zero ? "0" : null,
        DateTimeOffset value => value.UtcDateTime.ToString("O", CultureInfo.InvariantCulture),
        DateTime value => DateTime.SpecifyKind(value, DateTimeKind.Unspecified).ToString("O", CultureInfo.InvariantCulture), // the kind does not count for equality
        TimeOnly value => value.ToString("O", CultureInfo.InvariantCulture),
        Uri { IsAbsoluteUri: true } value => value.GetComponents(UriComponents.HttpRequestUrl, UriFormat.SafeUnescaped), // the fragment does not count for equality
        ITuple tuple => $"({string.Join(", ", Enumerable.Range(0, tuple.Length).Select(i => PartOf(tuple[i])))})",
        _ => MembersOf(key.GetType()) is { Length: > 0 } members ? $"{key.GetType().Name} {{ {string.Join(", ", members.Select(member => $"{member.Name} = {PartOf(ValueOf(member, key))}"))} }}" : null,
    };

    private static string PartOf(object? part) => part is null ? "" : KeyText.Of(part);

    private static object? ValueOf(MemberInfo member, object key) => member is PropertyInfo property ? property.GetValue(key) : ((FieldInfo)member).GetValue(key);

    // The members that a record's generated ToString prints. In a natively compiled application, reflection does not find them, and the record's
    // own text is used.
    private static MemberInfo[] MembersOf(Type type) => RuntimeFeature.IsDynamicCodeSupported ? s_records.GetValue(type, FindMembers) : [];

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "The ToString of a record uses its members, and keeps them.")]
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "As above.")]
    private static MemberInfo[] FindMembers(Type type)
    {
        const BindingFlags Declared = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
        if (type.GetMethod(nameof(ToString), Declared, []) is not { } text || !IsGenerated(text) || type.GetMethod("PrintMembers", Declared) is not { } print || !IsGenerated(print)) return [];

        List<MemberInfo> members = [];
        for (var level = type; level is not null && level != typeof(object); level = level.BaseType)
        {
            members.InsertRange(0, level.GetMembers(BindingFlags.Instance | BindingFlags.Public | BindingFlags.DeclaredOnly).Where(IsPrinted).OrderBy(member => member.MetadataToken));
        }

        return [.. members];

        static bool IsGenerated(MethodInfo method) => method.IsDefined(typeof(CompilerGeneratedAttribute));

        static bool IsPrinted(MemberInfo member) =>
            member is FieldInfo || (member is PropertyInfo { GetMethod.IsPublic: true } property && property.GetIndexParameters().Length == 0);
    }
}

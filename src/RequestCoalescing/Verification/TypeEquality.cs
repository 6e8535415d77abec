using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace RequestCoalescing.Verification;

/// <summary>Whose <c>Equals</c> two objects of a type are compared by.</summary>
internal enum TypeEquality
{
    /// <summary>Object's: only the very same object is equal.</summary>
    Reference,

    /// <summary>That of every struct: field by field.</summary>
    Fields,

    /// <summary>What the compiler writes for records and anonymous types: field by field.</summary>
    Generated,

    /// <summary>One that somebody wrote.</summary>
    Written,
}

/// <summary>Finds out.</summary>
internal static class TypeEqualities
{
    public const BindingFlags Declared = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    /// <summary>Whose <c>Equals</c> it is. Not to be asked in natively compiled code, where that is not there to be seen.</summary>
    /// <param name="type">The type.</param>
    /// <param name="author">The type that has it.</param>
    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "An override of Equals that can be called is kept.")]
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "A typed Equals that was trimmed away is called by nobody, the override included.")]
    public static TypeEquality Of(Type type, out Type author)
    {
        var equals = BasesOf(type)
            .Select(level => level.GetMethod(nameof(Equals), Declared, [typeof(object)]))
            .First(method => method is not null)!;
        var declaring = author = equals.DeclaringType!;
        if (author == typeof(object)) return typeof(IEquatable<>).MakesEqual(type) ? TypeEquality.Written : TypeEquality.Reference;
        if (author == typeof(ValueType)) return typeof(IEquatable<>).MakesEqual(type) ? TypeEquality.Written : TypeEquality.Fields;
        if (IsGenerated(author)) return TypeEquality.Generated; // an anonymous type
        if (!IsGenerated(equals)) return TypeEquality.Written;
        return declaring.GetMethod(nameof(Equals), Declared, [declaring]) is { } typed && !IsGenerated(typed) ? TypeEquality.Written : TypeEquality.Generated;

        static bool IsGenerated(MemberInfo member) => member.IsDefined(typeof(CompilerGeneratedAttribute));
    }

    public static IEnumerable<Type> BasesOf(Type type)
    {
        for (var level = type; level is not null; level = level.BaseType) yield return level;
    }

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "An interface that was trimmed away is one that no comparer uses.")]
    private static bool MakesEqual(this Type equatable, Type type) =>
        type.GetInterfaces().Any(face => face.IsGenericType && face.GetGenericTypeDefinition() == equatable && face.GenericTypeArguments[0] == type);
}

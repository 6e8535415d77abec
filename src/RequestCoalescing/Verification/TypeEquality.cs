using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace RequestCoalescing.Verification;

/// <summary>The origin of the <c>Equals</c> of a type.</summary>
internal enum TypeEquality
{
    /// <summary><see cref="object"/>. An object equals only itself.</summary>
    Reference,

    /// <summary><see cref="ValueType"/>. It compares field by field.</summary>
    Fields,

    /// <summary>The compiler, for records and anonymous types. It compares field by field.</summary>
    Generated,

    /// <summary>Code that was written for the type.</summary>
    Written,
}

/// <summary>Finds the origin of the <c>Equals</c> of a type.</summary>
internal static class TypeEqualities
{
    public const BindingFlags Declared = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    /// <summary>Returns the origin. Do not call it in natively compiled code, which lacks the metadata for it.</summary>
    /// <param name="type">The type.</param>
    /// <param name="author">The type that declares the <c>Equals</c>.</param>
    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "The trimmer keeps an override of Equals that can be called.")]
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "If a typed Equals was trimmed away, no code calls it, the override included.")]
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

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "The trimmer removes an interface only if no comparer uses it.")]
    private static bool MakesEqual(this Type equatable, Type type) =>
        type.GetInterfaces().Any(face => face.IsGenericType && face.GetGenericTypeDefinition() == equatable && face.GenericTypeArguments[0] == type);
}

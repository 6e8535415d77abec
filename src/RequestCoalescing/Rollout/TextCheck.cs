using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace RequestCoalescing.Rollout;

/// <summary>Finds types of keys that a rollout to a fraction cannot tell apart, for they have no text of their own.</summary>
internal static class TextCheck
{
    /// <summary>The part of a type of keys that has no text; null if there is none, or if only a key itself could tell.</summary>
    public static Type? FindTextless(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type.IsAbstract || type.IsInterface || type == typeof(object)) return null;
        if (typeof(ITuple).IsAssignableFrom(type)) return type.GetGenericArguments().Select(FindTextless).FirstOrDefault(part => part is not null);
        return RuntimeFeature.IsDynamicCodeSupported && !OverridesToString(type) ? type : null;
    }

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "An override of ToString that can be called is kept. Natively compiled, nobody asks.")]
    private static bool OverridesToString(Type type) =>
        type.GetMethod(nameof(ToString), []) is not { } method || (method.DeclaringType != typeof(object) && method.DeclaringType != typeof(ValueType));
}

using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace RequestCoalescing.Rollout;

/// <summary>Finds key types without a text of their own. A rollout to a fraction cannot distinguish such keys.</summary>
internal static class TextCheck
{
    /// <summary>Returns the part of a key type that has no text. Null if every part has one, or if that depends on the key itself.</summary>
    public static Type? FindTextless(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type.IsAbstract || type.IsInterface || type == typeof(object)) return null;
        if (typeof(ITuple).IsAssignableFrom(type)) return type.GetGenericArguments().Select(FindTextless).FirstOrDefault(part => part is not null);
        return RuntimeFeature.IsDynamicCodeSupported && !OverridesToString(type) ? type : null;
    }

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "The trimmer keeps an override of ToString that can be called. Natively compiled code does not call this method.")]
    private static bool OverridesToString(Type type) =>
        type.GetMethod(nameof(ToString), []) is not { } method || (method.DeclaringType != typeof(object) && method.DeclaringType != typeof(ValueType));
}

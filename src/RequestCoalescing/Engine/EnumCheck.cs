namespace RequestCoalescing.Engine;

/// <summary>Checks options that are enums.</summary>
internal static class EnumCheck
{
    /// <exception cref="ArgumentOutOfRangeException">The value has no name.</exception>
    public static void ThrowUnlessDefined<T>(T value, string name)
        where T : struct, Enum
    {
        if (!Enum.IsDefined(value)) throw new ArgumentOutOfRangeException(name, value, $"{name} must be one of: {string.Join(", ", Enum.GetNames<T>())}.");
    }
}

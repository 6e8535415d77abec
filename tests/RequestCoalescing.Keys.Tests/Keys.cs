using System.Numerics;

namespace RequestCoalescing.Keys.Tests;

[CoalescingKey]
public readonly partial record struct PostKey(string Id, int Limit);

[CoalescingKey]
internal partial record struct TextsKey(string? A, string? B, char C);

[CoalescingKey(Name = "number:v2")]
internal readonly partial record struct NumbersKey(
    sbyte A, byte B, short C, ushort D, int E, uint F, long G, ulong H, Int128 I, UInt128 J, nint K, nuint L, BigInteger M, bool N, Color O, Huge P, double Q, float R, Half S, decimal T);

[CoalescingKey]
internal readonly partial record struct TimesKey(DateTime A, DateTimeOffset B, DateOnly C, TimeOnly D, TimeSpan E, Guid F);

[CoalescingKey]
internal readonly partial record struct MissingKey(int? A, Color? B, DateTime? C, DateTimeOffset? D, PostKey? E, PostKey F);

/// <summary>A key that stores its part in another form.</summary>
[CoalescingKey]
internal readonly partial record struct LowerKey(string Id)
{
    public string Id { get; } = Id.ToLowerInvariant();
}

internal static partial class Outer
{
    /// <summary>A key within another type, with parts whose names are keywords.</summary>
    [CoalescingKey]
    internal readonly partial record struct InnerKey(string @class, int @int);
}

internal enum Color
{
    None,
    Red,
}

internal enum Huge : ulong
{
    Largest = ulong.MaxValue,
}

namespace RequestCoalescing.Engine;

/// <summary>
/// Mixes the bits of a hash with the finalizer of MurmurHash3 (Appleby, 2011). It is a bijection in which each bit of the input changes each bit
/// of the output for half of the inputs.
/// </summary>
internal static class HashMix
{
    public static uint Of(int hash)
    {
        var mixed = (uint)hash;
        mixed = (mixed ^ (mixed >> 16)) * 0x85EBCA6B;
        mixed = (mixed ^ (mixed >> 13)) * 0xC2B2AE35;
        return mixed ^ (mixed >> 16);
    }
}

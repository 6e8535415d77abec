using System.Buffers.Binary;

namespace RequestCoalescing.Benchmarks.Chaos;

/// <summary>The bytes of a body, which its target, its number and the user that the origin has seen determine. No two bodies are alike.</summary>
internal static class ChaosContent
{
    /// <summary>The sizes that targets have, by their number.</summary>
    public static readonly int[] Sizes = [0, 12, 4_096, 60_000, 700_000, 3_000_000];

    public static ulong SeedOf(string path, long serial, string user)
    {
        var seed = 14_695_981_039_346_656_037UL;
        foreach (var letter in $"{path}|{serial}|{user}") seed = (seed ^ letter) * 1_099_511_628_211UL;
        return seed;
    }

    public static void Fill(ulong seed, long position, Span<byte> bytes)
    {
        Span<byte> block = stackalloc byte[8];
        for (var done = 0; done < bytes.Length;)
        {
            var at = position + done;
            BinaryPrimitives.WriteUInt64LittleEndian(block, Mix(seed + ((ulong)(at >> 3) * 0x9E3779B97F4A7C15)));
            var part = block[(int)(at & 7)..];
            if (part.Length > bytes.Length - done) part = part[..(bytes.Length - done)];
            part.CopyTo(bytes[done..]);
            done += part.Length;
        }
    }

    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}

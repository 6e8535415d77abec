using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace RequestCoalescing.Rollout;

/// <summary>Says which keys are in a fraction of all keys: by a hash of the key's text, which is the same on every node and in every run.</summary>
internal sealed class KeySampler<TKey>(Func<object, string> textOf)
    where TKey : notnull
{
    /// <exception cref="InvalidOperationException">The keys have no text of their own.</exception>
    public bool Includes(TKey key, double fraction)
    {
        if (fraction >= 1) return true;
        if (fraction <= 0) return false;

        var text = textOf(key);
        if (key is not string && text == key.GetType().ToString())
        {
            throw new InvalidOperationException(
                $"Keys of type {key.GetType()} cannot be told apart by their text, as a rollout to a fraction of them has to: override ToString, or register the instance with WithKeyText.");
        }

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(text), hash);
        return BinaryPrimitives.ReadUInt64LittleEndian(hash) < fraction * ulong.MaxValue;
    }
}

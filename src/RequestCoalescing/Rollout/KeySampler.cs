using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;
using RequestCoalescing.Telemetry;

namespace RequestCoalescing.Rollout;

/// <summary>Chooses a fraction of all keys by a hash of the key's text. The hash is the same on every node and in every process.</summary>
internal sealed class KeySampler<TKey>(Func<object, string> textOf, string name, ILogger logger)
    where TKey : notnull
{
    private readonly ConcurrentDictionary<Type, bool> _logged = new();

    /// <summary>Whether the key is among the chosen ones. A key without a text is not chosen. That is logged, and the call does not fail.</summary>
    public bool Includes(TKey key, double fraction)
    {
        if (fraction >= 1) return true;
        if (fraction <= 0) return false;
        if (TryGetText(key) is not { } text) return false;

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(text), hash);
        return BinaryPrimitives.ReadUInt64LittleEndian(hash) < fraction * ulong.MaxValue;
    }

    private string? TryGetText(TKey key)
    {
        Exception? failure = null;
        try
        {
            var text = textOf(key);
            if (key is string || text != key.GetType().ToString()) return text;
        }
        catch (Exception exception)
        {
            failure = exception;
        }

        if (_logged.TryAdd(key.GetType(), true)) Log.KeyWithoutText(logger, failure, name, key.GetType());
        return null;
    }
}

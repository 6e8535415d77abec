using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;
using RequestCoalescing.Telemetry;

namespace RequestCoalescing.Rollout;

/// <summary>Says which keys are in a fraction of all keys: by a hash of the key's text, which is the same on every node and in every run.</summary>
internal sealed class KeySampler<TKey>(Func<object, string> textOf, string name, ILogger logger)
    where TKey : notnull
{
    private readonly ConcurrentDictionary<Type, bool> _told = new();

    /// <summary>Whether the key is in. One without a text is out; that is told, and is no failure of the call.</summary>
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

        if (_told.TryAdd(key.GetType(), true)) Log.KeyWithoutText(logger, failure, name, key.GetType());
        return null;
    }
}

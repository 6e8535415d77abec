using System.Collections.Concurrent;
using ViralPost.Data;

namespace ViralPost.Strategies;

/// <summary>Posts for a minute.</summary>
internal sealed class Cache
{
    private static readonly TimeSpan s_lifetime = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<long, (Post? Post, long StoredAt)> _entries = new();

    public bool TryGet(long id, out Post? post)
    {
        var isFound = _entries.TryGetValue(id, out var entry) && TimeProvider.System.GetElapsedTime(entry.StoredAt) < s_lifetime;
        post = isFound ? entry.Post : null;
        return isFound;
    }

    public void Set(long id, Post? post) => _entries[id] = (post, TimeProvider.System.GetTimestamp());
}

using System.Collections.Concurrent;
using ViralPost.Data;

namespace ViralPost.Strategies;

/// <summary>Keeps posts for their lifetime, and counts the expired entries.</summary>
internal sealed class Cache(TimeSpan lifetime)
{
    private readonly ConcurrentDictionary<long, Entry> _entries = new();
    private int _expiries;

    /// <summary>How many entries were requested after their lifetime.</summary>
    public int Expiries => Volatile.Read(ref _expiries);

    public bool TryGet(long id, out Post? post)
    {
        post = null;
        if (!_entries.TryGetValue(id, out var entry)) return false;

        if (TimeProvider.System.GetElapsedTime(entry.StoredAt) < lifetime)
        {
            post = entry.Post;
            return true;
        }

        if (entry.IsFirstToFindItExpired()) Interlocked.Increment(ref _expiries);
        return false;
    }

    public void Set(long id, Post? post) => _entries[id] = new Entry(post, TimeProvider.System.GetTimestamp());

    private sealed class Entry(Post? post, long storedAt)
    {
        private int _isFoundExpired;

        public Post? Post { get; } = post;

        public long StoredAt { get; } = storedAt;

        public bool IsFirstToFindItExpired() => Interlocked.Exchange(ref _isFoundExpired, 1) == 0;
    }
}

namespace RequestCoalescing.Caching;

/// <summary>The keys of calls that wait for a load, by the tags that the calls name.</summary>
internal sealed class Tags
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Dictionary<string, int>> _keys = new(StringComparer.Ordinal);

    public void Add(string[] tags, string key)
    {
        lock (_gate)
        {
            foreach (var tag in tags)
            {
                if (!_keys.TryGetValue(tag, out var keys)) _keys.Add(tag, keys = new Dictionary<string, int>(StringComparer.Ordinal));
                keys[key] = keys.GetValueOrDefault(key) + 1;
            }
        }
    }

    public void Remove(string[] tags, string key)
    {
        lock (_gate)
        {
            foreach (var tag in tags)
            {
                var keys = _keys[tag];
                if (--keys[key] > 0) continue;
                keys.Remove(key);
                if (keys.Count == 0) _keys.Remove(tag);
            }
        }
    }

    public string[] KeysOf(string tag)
    {
        lock (_gate) return _keys.TryGetValue(tag, out var keys) ? [.. keys.Keys] : [];
    }
}

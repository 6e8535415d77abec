using System.Collections;
using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>Reports the names that are read.</summary>
internal sealed class GuardedHeaders(HeaderDictionary headers, ReadGuard guard) : IHeaderDictionary
{
    public long? ContentLength
    {
        get => headers.ContentLength;
        set => headers.ContentLength = value;
    }

    public ICollection<string> Keys => headers.Keys;

    public ICollection<StringValues> Values => headers.Values;

    public int Count => headers.Count;

    public bool IsReadOnly => headers.IsReadOnly;

    public StringValues this[string key]
    {
        get
        {
            guard.ReadHeader(key);
            return headers[key];
        }
        set => headers[key] = value;
    }

    public bool ContainsKey(string key)
    {
        guard.ReadHeader(key);
        return headers.ContainsKey(key);
    }

    public bool TryGetValue(string key, [MaybeNullWhen(false)] out StringValues value)
    {
        guard.ReadHeader(key);
        return headers.TryGetValue(key, out value);
    }

    public void Add(string key, StringValues value) => headers.Add(key, value);

    public void Add(KeyValuePair<string, StringValues> item) => headers.Add(item);

    public void Clear() => headers.Clear();

    public bool Contains(KeyValuePair<string, StringValues> item) => headers.Contains(item);

    public void CopyTo(KeyValuePair<string, StringValues>[] array, int arrayIndex) => headers.CopyTo(array, arrayIndex);

    public bool Remove(string key) => headers.Remove(key);

    public bool Remove(KeyValuePair<string, StringValues> item) => headers.Remove(item);

    public IEnumerator<KeyValuePair<string, StringValues>> GetEnumerator() => headers.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => headers.GetEnumerator();
}

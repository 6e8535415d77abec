using System.Collections.Concurrent;
using System.Globalization;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// The flights of all nodes that have tags. For each tag, <c>prefix:{tag}:tag</c> is a sorted set of notes <c>node-number|key</c>. Its scores are the times, of the server and
/// in milliseconds, at which the notes end, in case that a node is lost.
/// </summary>
internal sealed class TaggedFlights<TKey>(Node node)
    where TKey : notnull
{
    private const long RetentionMs = 60 * 60 * 1000;

    private readonly ConcurrentDictionary<string, (TKey Key, IReadOnlyCollection<string> Tags)> _own = new(StringComparer.Ordinal);
    private long _number;

    /// <exception cref="Exception">Redis cannot be reached.</exception>
    public async ValueTask<IAsyncDisposable> AddAsync(TKey key, string text, IReadOnlyCollection<string> tags)
    {
        var note = new Note(this, string.Create(CultureInfo.InvariantCulture, $"{node.Name}-{Interlocked.Increment(ref _number)}|{text}"), tags);
        _own[note.Text] = (key, tags);
        try
        {
            node.Commands.ThrowIfOpen();
            await Task.WhenAll(tags.Select(tag => node.Commands.AnswerAsync(node.Commands.Send(Scripts.Tag, [NameOf(tag)], [note.Text, RetentionMs])).AsTask())).ConfigureAwait(false);
            return note;
        }
        catch
        {
            await note.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>The keys of this node's flights with a tag.</summary>
    public IEnumerable<TKey> OwnOf(string tag) => _own.Values.Where(own => own.Tags.Contains(tag, StringComparer.Ordinal)).Select(static own => own.Key);

    /// <summary>The keys, as text, of the flights of all nodes with a tag.</summary>
    /// <exception cref="Exception">Redis cannot be reached.</exception>
    public async Task<IEnumerable<string>> TextsOfAsync(string tag)
    {
        var notes = (string?[]?)await node.Commands.RunAsync(Scripts.Tagged, [NameOf(tag)], []).ConfigureAwait(false) ?? [];
        return notes.OfType<string>().Select(static note => note[(note.IndexOf('|', StringComparison.Ordinal) + 1)..]).Distinct(StringComparer.Ordinal);
    }

    private RedisKey NameOf(string tag) => new Names(node.Options.KeyPrefix, Names.Injective(tag)).Tagged;

    private void Remove(string note, IReadOnlyCollection<string> tags)
    {
        if (!_own.TryRemove(note, out _)) return;
        try
        {
            foreach (var tag in tags) node.Commands.Follow(node.Commands.Database.SortedSetRemoveAsync(NameOf(tag), note));
        }
        catch (Exception)
        {
            // The connection is gone. The note ends by itself.
        }
    }

    private sealed class Note(TaggedFlights<TKey> flights, string text, IReadOnlyCollection<string> tags) : IAsyncDisposable
    {
        public string Text => text;

        // The flight does not wait for it.
        public ValueTask DisposeAsync()
        {
            flights.Remove(text, tags);
            return default;
        }
    }
}

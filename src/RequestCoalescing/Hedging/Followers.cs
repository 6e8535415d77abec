using RequestCoalescing.Engine;

namespace RequestCoalescing.Hedging;

/// <summary>The calls that wait for a flight now, by key, and the slow flights that look for one.</summary>
internal sealed class Followers<TKey>
    where TKey : notnull
{
    private readonly Part[] _parts = [.. Enumerable.Range(0, 32).Select(static _ => new Part())];

    public void Add(TKey key, IHedgedCall call)
    {
        var part = PartOf(key);
        lock (part.Gate)
        {
            var line = part.LineOf(key);
            call.Place = line.Calls.AddLast(call);
            foreach (var wanted in line.Wanted)
            {
                if (wanted.Accepts(call)) break;
            }
        }
    }

    public void Remove(TKey key, IHedgedCall call)
    {
        var part = PartOf(key);
        lock (part.Gate)
        {
            part.LineOf(key).Calls.Remove(call.Place!);
            part.Trim(key);
        }
    }

    /// <summary>Looks for a follower whose work can run beside that of a slow leader.</summary>
    /// <returns>The search. It goes on until it is disposed of.</returns>
    public Search<TResult> Want<TResult>(TKey key)
    {
        var part = PartOf(key);
        var search = new Search<TResult>(part, key);
        lock (part.Gate)
        {
            var line = part.LineOf(key);
            foreach (var call in line.Calls)
            {
                if (search.Accepts(call)) break;
            }

            line.Wanted.Add(search);
        }

        return search;
    }

    private Part PartOf(TKey key) => _parts[HashMix.Of(key.GetHashCode()) % _parts.Length];

    /// <summary>A search for a follower with a certain type of result.</summary>
    public sealed class Search<TResult>(Part part, TKey key) : ISearch, IDisposable
    {
        private readonly TaskCompletionSource<HedgedCall<TResult>> _found = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<HedgedCall<TResult>> Found => _found.Task;

        public bool Accepts(IHedgedCall call)
        {
            if (_found.Task.IsCompleted || call is not HedgedCall<TResult> { HasStarted: false, HasCancelled: false } follower) return false;
            follower.HasStarted = true;
            _found.SetResult(follower);
            return true;
        }

        public void Dispose()
        {
            lock (part.Gate)
            {
                part.LineOf(key).Wanted.Remove(this);
                part.Trim(key);
            }
        }
    }

    /// <summary>Some of the keys.</summary>
    public sealed class Part
    {
        private readonly Dictionary<TKey, Line> _lines = [];

        public Lock Gate { get; } = new();

        public Line LineOf(TKey key)
        {
            if (!_lines.TryGetValue(key, out var line)) _lines.Add(key, line = new Line());
            return line;
        }

        public void Trim(TKey key)
        {
            if (_lines[key] is { Calls.Count: 0, Wanted.Count: 0 }) _lines.Remove(key);
        }
    }

    /// <summary>One key.</summary>
    public sealed class Line
    {
        public LinkedList<IHedgedCall> Calls { get; } = [];

        public List<ISearch> Wanted { get; } = [];
    }

    /// <summary>A search, whatever its result.</summary>
    public interface ISearch
    {
        /// <summary>Takes a call if it can be used. Called under the gate.</summary>
        bool Accepts(IHedgedCall call);
    }
}

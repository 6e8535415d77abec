using RequestCoalescing.Engine;

namespace RequestCoalescing.Hedging;

/// <summary>The calls that wait for a flight now, by key, and the slow flights that look for one of theirs.</summary>
internal sealed class Followers<TKey>
    where TKey : notnull
{
    private readonly Part[] _parts = [.. Enumerable.Range(0, 32).Select(static _ => new Part())];

    /// <summary>A call has begun to lead a flight that others can join. From now on, calls follow it.</summary>
    /// <returns>Its place. Remove it when the flight is over.</returns>
    public Place AddLeader(TKey key, Lead lead)
    {
        var part = PartOf(key);
        lock (part.Gate)
        {
            var line = part.LineOf(key);
            line.Leads.Add(lead);
            return new Place(part, line, key);
        }
    }

    public Place Add(TKey key, IHedgedCall call)
    {
        var part = PartOf(key);
        lock (part.Gate)
        {
            var line = part.LineOf(key);
            call.Lead = line.Leads.Find(static lead => lead.IsCurrent);
            line.Calls.AddLast(call.Node);
            foreach (var wanted in line.Wanted)
            {
                if (wanted.Accepts(call)) break;
            }

            return new Place(part, line, key);
        }
    }

    private Part PartOf(TKey key) => _parts[HashMix.Of(key.GetHashCode()) % _parts.Length];

    /// <summary>Where a call or a flight is kept. It is found again without its key, which may have changed.</summary>
    public sealed class Place(Part part, Line line, TKey key)
    {
        public void Remove(IHedgedCall call)
        {
            lock (part.Gate)
            {
                line.Calls.Remove(call.Node);
                part.Trim(key, line);
            }
        }

        public void Remove(Lead lead)
        {
            lock (part.Gate)
            {
                line.Leads.Remove(lead);
                part.Trim(key, line);
            }
        }

        /// <summary>Looks for a follower whose work can run beside that of a slow leader.</summary>
        /// <returns>The search. It lasts until it is disposed of.</returns>
        public Search<TResult> Want<TResult>(Lead lead)
        {
            var search = new Search<TResult>(part, line, lead);
            lock (part.Gate)
            {
                foreach (var call in line.Calls)
                {
                    if (search.Accepts(call)) break;
                }

                line.Wanted.Add(search);
            }

            return search;
        }
    }

    /// <summary>A search for a follower with a certain type of result. It needs the place of its leader, which keeps the line.</summary>
    public sealed class Search<TResult>(Part part, Line line, Lead lead) : ISearch, IDisposable
    {
        private readonly TaskCompletionSource<HedgedCall<TResult>> _found = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<HedgedCall<TResult>> Found => _found.Task;

        // A call that follows no flight that is current has seen its flight end, and waits for the next one: after an election, for example.
        public bool Accepts(IHedgedCall call)
        {
            var isOurs = call.Lead == lead || (lead.IsCurrent && call.Lead is not { IsCurrent: true });
            if (!isOurs || _found.Task.IsCompleted || call is not HedgedCall<TResult> { HasStarted: false, HasCancelled: false } follower) return false;
            follower.HasStarted = true;
            _found.SetResult(follower);
            return true;
        }

        public void Dispose()
        {
            lock (part.Gate) line.Wanted.Remove(this);
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

        public void Trim(TKey key, Line line)
        {
            if (line is not { Calls.Count: 0, Leads.Count: 0 }) return;
            try
            {
                if (_lines.TryGetValue(key, out var found) && found == line) _lines.Remove(key);
            }
            catch (Exception)
            {
                // The equality of the key throws. The empty line stays.
            }
        }
    }

    /// <summary>One key.</summary>
    public sealed class Line
    {
        public LinkedList<IHedgedCall> Calls { get; } = [];

        public List<Lead> Leads { get; } = [];

        public List<ISearch> Wanted { get; } = [];
    }

    /// <summary>A search for any type of result.</summary>
    public interface ISearch
    {
        /// <summary>Takes a call if its work can be lent. Called under the gate.</summary>
        bool Accepts(IHedgedCall call);
    }
}

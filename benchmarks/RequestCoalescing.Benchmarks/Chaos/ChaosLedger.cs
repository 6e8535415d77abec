using System.Collections.Concurrent;

namespace RequestCoalescing.Benchmarks.Chaos;

/// <summary>The outcomes of all requests, and what must not have happened.</summary>
internal sealed class ChaosLedger
{
    private readonly ConcurrentDictionary<string, int> _counts = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<long, bool> _lone = new();
    private readonly ConcurrentQueue<string> _violations = new();

    public IReadOnlyCollection<string> Violations => _violations;

    public int this[string outcome] => _counts.GetValueOrDefault(outcome);

    public void Count(string outcome) => _counts.AddOrUpdate(outcome, 1, static (_, count) => count + 1);

    public void Violate(string what)
    {
        if (_violations.Count < 20) _violations.Enqueue(what);
    }

    /// <summary>Takes a response that only one client may get.</summary>
    public void TakeLone(long serial, string request)
    {
        if (!_lone.TryAdd(serial, true)) Violate($"Two clients have got the response {serial}, which is for one: {request}");
    }
}

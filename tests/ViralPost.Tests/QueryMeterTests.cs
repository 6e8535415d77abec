using Microsoft.Extensions.Time.Testing;
using ViralPost.Data;

namespace ViralPost.Tests;

/// <summary>The meter counts queries, the most at once, and the time with at least one.</summary>
public sealed class QueryMeterTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly Queue<TaskCompletionSource<Post?>> _answers = new();
    private readonly QueryMeter _meter;

    public QueryMeterTests() => _meter = new QueryMeter(new ManualPosts(_answers), _time);

    [Fact]
    public async Task Overlapping_queries_count_as_one_busy_time()
    {
        var first = _meter.GetPostAsync(1, default);
        _time.Advance(TimeSpan.FromMilliseconds(10));
        var second = _meter.GetPostAsync(1, default);
        _time.Advance(TimeSpan.FromMilliseconds(10));
        await EndOneAsync(first);
        _time.Advance(TimeSpan.FromMilliseconds(10));
        await EndOneAsync(second);
        _time.Advance(TimeSpan.FromSeconds(1)); // idle

        var third = _meter.GetPostAsync(1, default);
        Assert.Equal(new QueryCounts(3, 1, 2, TimeSpan.FromMilliseconds(30)), _meter.Counts);
        _time.Advance(TimeSpan.FromMilliseconds(5));
        await EndOneAsync(third);

        Assert.Equal(new QueryCounts(3, 0, 2, TimeSpan.FromMilliseconds(35)), _meter.Counts);
        _meter.Reset();
        Assert.Equal(default, _meter.Counts);
    }

    [Fact]
    public async Task A_failing_query_is_counted_and_ends()
    {
        var query = _meter.GetPostAsync(1, default);
        _answers.Dequeue().SetException(new InvalidOperationException("broken"));

        await Assert.ThrowsAsync<InvalidOperationException>(() => query);
        Assert.Equal((1, 0), (_meter.Counts.Queries, _meter.Counts.InFlight));
    }

    private async Task EndOneAsync(Task<Post?> query)
    {
        _answers.Dequeue().SetResult(null);
        await query;
    }

    private sealed class ManualPosts(Queue<TaskCompletionSource<Post?>> answers) : PostDatabase
    {
        public override string Description => "Answers when the test says so.";

        public override Task<Post?> GetPostAsync(long id, CancellationToken cancellationToken)
        {
            var answer = new TaskCompletionSource<Post?>();
            answers.Enqueue(answer);
            return answer.Task;
        }

        public override ValueTask DisposeAsync() => default;
    }
}

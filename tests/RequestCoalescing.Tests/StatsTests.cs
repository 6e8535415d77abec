namespace RequestCoalescing.Tests;

public sealed class StatsTests
{
    [Fact]
    public void The_sum_of_instances_has_every_count()
    {
        var counts = typeof(SingleflightStats).GetProperties().Where(property => property.SetMethod is not null && property.PropertyType != typeof(TimeSpan?)).ToList();
        object one = default(SingleflightStats);
        foreach (var count in counts) count.SetValue(one, Convert.ChangeType(3, count.PropertyType, provider: null));

        var sum = SingleflightStats.Sum([(SingleflightStats)one with { OldestCallAge = TimeSpan.FromSeconds(1) }, (SingleflightStats)one with { OldestCallAge = TimeSpan.FromSeconds(2) }]);
        foreach (var count in counts)
        {
            var expected = count.Name == nameof(SingleflightStats.LargestFlight) ? 3 : 6; // the largest of all, not a sum
            Assert.Equal((count.Name, expected), (count.Name, Convert.ToInt32(count.GetValue(sum), provider: null)));
        }

        Assert.Equal(TimeSpan.FromSeconds(2), sum.OldestCallAge);
    }
}

using Microsoft.Extensions.DependencyInjection;
using RequestCoalescing.Tests.Hosting;

namespace RequestCoalescing.Tests.Hedging;

/// <summary>An instance that may start second runs keeps the laws while no flight is slow.</summary>
public sealed class HedgingContractTests : HostedSingleflightContractTests
{
    protected override void Configure(ISingleflightBuilder builder) => builder.WithHedging(static hedging => hedging.HedgeAfter = TimeSpan.FromDays(24));
}

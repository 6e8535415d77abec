namespace RequestCoalescing.Tests;

/// <summary>The engine keeps the laws.</summary>
public sealed class SingleflightContractTests : SingleflightContract
{
    protected override ISingleflight CreateSingleflight(SingleflightOptions options) => new Singleflight(options);
}

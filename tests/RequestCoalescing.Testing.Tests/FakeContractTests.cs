namespace RequestCoalescing.Testing.Tests;

/// <summary>A fake without instructions keeps the contract.</summary>
public sealed class FakeContractTests : SingleflightContract
{
    protected override ISingleflight<string> CreateSingleflight(SingleflightOptions options) => new FakeSingleflight(options);
}

namespace RequestCoalescing.Tests.Batching;

/// <summary>A loader on an engine keeps the rules.</summary>
public sealed class BatchLoaderOnEngineTests : BatchLoaderContract
{
    protected override ISingleflight<int> Around(Singleflight<int> engine) => engine;
}

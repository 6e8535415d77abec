namespace RequestCoalescing.DependencyInjection;

/// <summary>What the hosting needs of an instance, whatever its keys.</summary>
internal abstract class Instance(string name) : SingleflightInstance(name)
{
    public abstract Task DrainAsync(CancellationToken deadline);
}

namespace RequestCoalescing.DependencyInjection;

/// <summary>What the hosting needs of an instance, whatever its keys.</summary>
internal abstract class Instance(string name) : SingleflightInstance(name)
{
    /// <summary>Logs the settings in force.</summary>
    public abstract void TellSettings();

    public abstract Task DrainAsync(CancellationToken deadline);
}

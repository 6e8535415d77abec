using RequestCoalescing.Engine;

namespace RequestCoalescing.DependencyInjection;

/// <summary>What the hosting needs of an instance, whatever its keys.</summary>
internal abstract class Instance(string name) : SingleflightInstance(name)
{
    public abstract IEngine Engine { get; }

    /// <summary>Logs the settings in force.</summary>
    public abstract void LogSettings();

    /// <summary>Cancels the flights in the air and does not wait for their work. The host's deadline has passed.</summary>
    public abstract void Abort();
}

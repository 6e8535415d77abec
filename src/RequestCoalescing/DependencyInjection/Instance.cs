using RequestCoalescing.Engine;

namespace RequestCoalescing.DependencyInjection;

/// <summary>What the hosting needs of an instance, whatever its keys.</summary>
internal abstract class Instance(string name) : SingleflightInstance(name)
{
    public abstract IEngine Engine { get; }

    /// <summary>Logs the settings in force.</summary>
    public abstract void TellSettings();

    /// <summary>Cancels what is in the air at the deadline of the host, which does not wait for it.</summary>
    public abstract void Abort();
}

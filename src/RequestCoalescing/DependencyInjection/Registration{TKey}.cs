using RequestCoalescing.Telemetry;

namespace RequestCoalescing.DependencyInjection;

/// <summary>As <see cref="Registration"/>, with what depends on the type of the keys.</summary>
internal sealed class Registration<TKey>(string optionsName, string name, bool isKeyed) : Registration(optionsName, name, typeof(TKey), isKeyed)
    where TKey : notnull
{
    /// <summary>In the order in which they are put around the engine.</summary>
    public List<Func<IServiceProvider, ISingleflight<TKey>, ISingleflight<TKey>>> Decorators { get; } = [];

    /// <summary>Converts a key to text.</summary>
    public Func<object, string> TextOf { get; set; } = KeyText.Of;

    /// <summary>Checks the options, and that keys have a text if the rollout's fraction needs one.</summary>
    /// <exception cref="ArgumentException">An option is not valid, or the keys have no text.</exception>
    public void Validate(RolloutOptions rollout)
    {
        rollout.Validate();
        if (TextOf == KeyText.Of) rollout.ValidateFor(typeof(TKey));
    }
}

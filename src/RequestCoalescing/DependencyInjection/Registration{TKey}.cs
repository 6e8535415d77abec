using RequestCoalescing.Telemetry;

namespace RequestCoalescing.DependencyInjection;

/// <summary>As <see cref="Registration"/>, with what depends on the type of the keys.</summary>
internal sealed class Registration<TKey>(string optionsName, string name, bool isKeyed) : Registration(optionsName, name, typeof(TKey), isKeyed)
    where TKey : notnull
{
    /// <summary>In the order in which they are put around the engine.</summary>
    public List<Func<IServiceProvider, ISingleflight<TKey>, ISingleflight<TKey>>> Decorators { get; } = [];

    /// <summary>Puts a key into words.</summary>
    public Func<object, string> TextOf { get; set; } = KeyText.Of;

    /// <summary>Throws if the rollout's fraction needs a text of the keys that they do not have.</summary>
    /// <exception cref="ArgumentException">They do not.</exception>
    public void Validate(RolloutOptions rollout)
    {
        rollout.Validate();
        if (TextOf == KeyText.Of) rollout.ValidateFor(typeof(TKey));
    }
}

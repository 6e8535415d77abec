namespace RequestCoalescing.DependencyInjection;

/// <summary>What <c>AddSingleflight</c> and the builder have noted about an instance.</summary>
internal abstract class Registration(string optionsName, string name, Type keyType, bool isKeyed)
{
    public const string DefaultName = "default";
    public const string RootSection = "Singleflight";

    /// <summary>The name of its options; empty for the default instance.</summary>
    public string OptionsName { get; } = optionsName;

    public string Name { get; } = name;

    public Type KeyType { get; } = keyType;

    /// <summary>Whether it is a keyed service.</summary>
    public bool IsKeyed => isKeyed;

    public Func<IServiceProvider, IRolloutSwitch>? CreateSwitch { get; set; }

    /// <summary>Whether the maximum duration follows the durations of recent flights.</summary>
    public bool AdaptsMaxDuration { get; set; }

    /// <summary>Whether results are checked for changes by their callers.</summary>
    public bool DetectsMutations { get; set; }

    /// <summary>Whether a second run starts beside a slow leader.</summary>
    public bool Hedges { get; set; }

    /// <summary>The settings that the instance's section may contain, by part. The instance's own settings have an empty part name.</summary>
    public Dictionary<string, KnownSettings> Settings { get; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Where its settings are in the configuration.</summary>
    public string Section => OptionsName.Length == 0 ? RootSection : $"{RootSection}:{OptionsName}";
}

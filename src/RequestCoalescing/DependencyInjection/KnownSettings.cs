using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Reflection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace RequestCoalescing.DependencyInjection;

/// <summary>The settings that a section of an instance can have: the properties of the options that are bound from it.</summary>
internal sealed class KnownSettings
{
    /// <summary>The members of an options type that trimming must keep.</summary>
    public const DynamicallyAccessedMemberTypes Needed = DynamicallyAccessedMemberTypes.PublicProperties | DynamicallyAccessedMemberTypes.PublicParameterlessConstructor;

    private readonly Dictionary<string, Type> _types = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<(Func<IServiceProvider, object> Create, PropertyInfo[] Properties)> _options = [];

    public IEnumerable<string> Names => _types.Keys;

    /// <summary>Adds the settings that are bound to options of a type.</summary>
    /// <param name="name">The name under which the options are registered.</param>
    public void Add<[DynamicallyAccessedMembers(Needed)] TOptions>(string name)
        where TOptions : class
    {
        var properties = typeof(TOptions).GetProperties().Where(property => IsBindable(property.PropertyType)).ToArray();
        foreach (var property in properties) _types.TryAdd(property.Name, property.PropertyType);
        _options.Add((services => services.GetRequiredService<IOptionsFactory<TOptions>>().Create(name), properties));
    }

    /// <summary>Lists the settings in force as <c>name=value</c>. A text appears as <c>(set)</c>, because it may be a secret.</summary>
    public IEnumerable<string> ValuesIn(IServiceProvider services) =>
        from part in _options
        let options = part.Create(services)
        from property in part.Properties
        where IsScalar(property.PropertyType) && Has(property.Name)
        select $"{property.Name}={TextOf(property.GetValue(options))}";

    /// <summary>Removes properties that are not settings.</summary>
    public void Remove(params string[] names)
    {
        foreach (var name in names) _types.Remove(name);
    }

    public bool Has(string name) => _types.ContainsKey(name);

    /// <summary>Returns an error if the text of a known setting cannot be meant as it will be read, or null. Ranges are checked elsewhere.</summary>
    public string? ProblemOf(IConfigurationSection setting)
    {
        var type = _types[setting.Key];
        if (IsScalar(type) && setting.GetChildren().FirstOrDefault() is { } child) return $"{child.Path}: {setting.Key} is one value and has no settings of its own.";
        return (Nullable.GetUnderlyingType(type) ?? type) == typeof(TimeSpan) && IsBareNumber(setting.Value, out var meant)
            ? $"{setting.Path}: '{setting.Value}' would be days. Write {meant} for seconds, as hours:minutes:seconds."
            : null;
    }

    private static string TextOf(object? value) => value switch
    {
        null => "none",
        int.MaxValue => "no limit",
        TimeSpan duration when duration == Timeout.InfiniteTimeSpan => "no limit",
        string => "(set)",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "",
    };

    private static bool IsBareNumber(string? text, out string meant)
    {
        var isNumber = double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds);
        meant = isNumber && Math.Abs(seconds) < TimeSpan.MaxValue.TotalSeconds ? TimeSpan.FromSeconds(seconds).ToString("c", CultureInfo.InvariantCulture) : "00:00:05";
        return isNumber;
    }

    // A clock, a delegate or a comparer cannot be created from text.
    private static bool IsBindable(Type type) =>
        IsScalar(type) || typeof(IEnumerable).IsAssignableFrom(type) || !(type.IsAbstract || typeof(Delegate).IsAssignableFrom(type));

    private static bool IsScalar(Type type) => type.IsValueType || type == typeof(string);
}

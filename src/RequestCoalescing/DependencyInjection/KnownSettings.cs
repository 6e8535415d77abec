using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace RequestCoalescing.DependencyInjection;

/// <summary>The settings that a section of an instance can have: the properties of the options that are bound from it.</summary>
internal sealed class KnownSettings
{
    private readonly Dictionary<string, Type> _types = new(StringComparer.OrdinalIgnoreCase);

    public IEnumerable<string> Names => _types.Keys;

    public void Add([DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] Type options)
    {
        foreach (var property in options.GetProperties())
        {
            if (IsBindable(property.PropertyType)) _types.TryAdd(property.Name, property.PropertyType);
        }
    }

    public bool Has(string name) => _types.ContainsKey(name);

    /// <summary>What is wrong with the text of a known setting, whatever its range; null if nothing is.</summary>
    public string? ProblemOf(IConfigurationSection setting)
    {
        var type = _types[setting.Key];
        if (IsScalar(type) && setting.GetChildren().FirstOrDefault() is { } child) return $"{child.Path}: {setting.Key} is one value and has no settings of its own.";
        return (Nullable.GetUnderlyingType(type) ?? type) == typeof(TimeSpan) && IsBareNumber(setting.Value, out var meant)
            ? $"{setting.Path}: '{setting.Value}' would be days. Write {meant} for seconds, as hours:minutes:seconds."
            : null;
    }

    private static bool IsBareNumber(string? text, out string meant)
    {
        var isNumber = double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds);
        meant = isNumber && Math.Abs(seconds) < TimeSpan.MaxValue.TotalSeconds ? TimeSpan.FromSeconds(seconds).ToString("c", CultureInfo.InvariantCulture) : "00:00:05";
        return isNumber;
    }

    // No text makes a clock, a delegate or a comparer.
    private static bool IsBindable(Type type) =>
        IsScalar(type) || typeof(IEnumerable).IsAssignableFrom(type) || !(type.IsAbstract || typeof(Delegate).IsAssignableFrom(type));

    private static bool IsScalar(Type type) => type.IsValueType || type == typeof(string);
}

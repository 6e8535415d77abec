using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;
using RequestCoalescing.Telemetry;

namespace RequestCoalescing.DependencyInjection;

/// <summary>
/// Finds mistyped names in the section <c>Singleflight</c>. Binding ignores an unknown name silently, so that a mistyped kill switch would have no
/// effect.
/// </summary>
internal sealed class SettingsCheck(IServiceProvider services, IEnumerable<Registration> registrations)
{
    private readonly IConfiguration? _configuration = services.GetService<IConfiguration>();
    private readonly Registration[] _registrations = [.. registrations];
    private readonly SafeLogger _logger = new(services.GetService<ILoggerFactory>()?.CreateLogger(typeof(SingleflightInstance).Namespace!) ?? NullLogger.Instance);
    private readonly Lock _gate = new();
    private IChangeToken? _seen;
    private List<string> _problems = [];
    private string _logged = "";

    /// <exception cref="OptionsValidationException">A name is unknown, or a duration is a bare number.</exception>
    public void ThrowIfWrong()
    {
        if (Problems() is { Count: > 0 } problems) throw new OptionsValidationException(Registration.RootSection, typeof(SingleflightOptions), problems);
    }

    /// <summary>
    /// Returns whether reloaded settings may be applied. None may be applied while a name is unknown, because the setting that the name was meant
    /// for would fall back to its default.
    /// </summary>
    public bool Accepts()
    {
        var problems = string.Join(" ", Problems());

        // Each instance asks once for each of its options types, and one log entry is enough.
        if (Interlocked.Exchange(ref _logged, problems) != problems && problems.Length > 0) Log.ReloadRejected(_logger, "all instances", problems);
        return problems.Length == 0;
    }

    // The check runs once for each reload, however many instances ask.
    private List<string> Problems()
    {
        if (_configuration is null) return [];
        lock (_gate)
        {
            var token = _configuration.GetReloadToken();
            if (token != _seen) _problems = [.. ProblemsOf(_configuration)];
            _seen = token;
            return _problems;
        }
    }

    private IEnumerable<string> ProblemsOf(IConfiguration configuration)
    {
        var root = configuration.GetSection(Registration.RootSection);
        var unnamed = _registrations.FirstOrDefault(registration => registration.OptionsName.Length == 0);
        var others = _registrations.Where(registration => registration.OptionsName.Length > 0).ToDictionary(registration => registration.OptionsName, StringComparer.OrdinalIgnoreCase);
        return ProblemsOf(root, unnamed, others);
    }

    private static IEnumerable<string> ProblemsOf(IConfiguration section, Registration? instance, Dictionary<string, Registration> others)
    {
        var own = instance?.Settings.GetValueOrDefault("");
        var parts = instance?.Settings.Keys.Where(part => part.Length > 0) ?? [];
        string[] names = [.. own?.Names ?? [], .. parts, .. others.Keys];
        foreach (var child in ChildrenOf(section))
        {
            IEnumerable<string> problems =
                others.TryGetValue(child.Key, out var other) ? [.. ValueOf(child), .. ProblemsOf(child, other, [])]
                : child.Key.Length > 0 && instance?.Settings.GetValueOrDefault(child.Key) is { } part ? [.. ValueOf(child), .. ProblemsOfPart(child, part)]
                : own?.Has(child.Key) == true ? ProblemOf(child, own)
                : [Unknown(child, OwnerOf(child.Key, others) ?? NearestName.To(child.Key, names), names)];
            foreach (var problem in problems) yield return problem;
        }
    }

    // A section without any value sets nothing. It may be an empty part, or a name that another source has removed.
    private static IEnumerable<IConfigurationSection> ChildrenOf(IConfiguration section) =>
        section.GetChildren().Where(child => child.AsEnumerable().Any(entry => !string.IsNullOrEmpty(entry.Value)));

    private static IEnumerable<string> ProblemsOfPart(IConfiguration section, KnownSettings known) =>
        ChildrenOf(section).SelectMany(child => known.Has(child.Key) ? ProblemOf(child, known) : [Unknown(child, NearestName.To(child.Key, known.Names), known.Names)]);

    private static string[] ProblemOf(IConfigurationSection setting, KnownSettings known) => known.ProblemOf(setting) is { } problem ? [problem] : [];

    private static string[] ValueOf(IConfigurationSection section) =>
        string.IsNullOrEmpty(section.Value) ? [] : [$"{section.Path} is a section: '{section.Value}' has no effect there."];

    // The setting belongs to the instance without a name, and only named ones are registered.
    private static string? OwnerOf(string name, Dictionary<string, Registration> others) =>
        others.Values.FirstOrDefault(other => other.Settings.ContainsKey(name) || other.Settings[""].Has(name)) is { } owner ? $"{owner.OptionsName}:{name}" : null;

    private static string Unknown(IConfigurationSection found, string? nearest, IEnumerable<string> known) =>
        $"{found.Path} is no {(found.Path.IndexOf(':') == found.Path.LastIndexOf(':') ? "instance and no " : "")}setting. Did you mean '{nearest}'? Known there: {string.Join(", ", known.Order(StringComparer.OrdinalIgnoreCase))}.";
}

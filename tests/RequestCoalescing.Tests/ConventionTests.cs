using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace RequestCoalescing.Tests;

/// <summary>Checks the house rules of the source code.</summary>
public sealed partial class ConventionTests
{
    /// <summary>Public classes that are not sealed, because other classes derive from them.</summary>
    private static readonly Type[] s_forAuthors = [typeof(SingleflightBase<>), typeof(Singleflight<>), typeof(SingleflightInstance)];

    private static readonly Assembly s_assembly = typeof(Singleflight).Assembly;

    public static TheoryData<string> Sources => [.. Directory
        .EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.cs", SearchOption.AllDirectories)
        .Select(file => Path.GetRelativePath(Repository.Root, file))
        .Where(file => !file.Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj"))];

    [Fact]
    public void Public_classes_are_sealed_unless_an_author_is_stated() =>
        Assert.DoesNotContain(s_assembly.GetExportedTypes(), type => type is { IsClass: true, IsSealed: false } && !s_forAuthors.Contains(type));

    [Fact]
    public void Public_types_are_in_the_root_namespace_and_internal_types_in_the_namespace_of_their_folder() =>
        Assert.DoesNotContain(s_assembly.GetTypes(), type =>
            !type.IsNested &&
            !type.IsDefined(typeof(CompilerGeneratedAttribute)) &&
            type.Namespace?.StartsWith(nameof(RequestCoalescing), StringComparison.Ordinal) == true &&
            type.IsPublic != (type.Namespace == nameof(RequestCoalescing)));

    [Fact]
    public void Public_members_have_at_most_two_type_parameters() =>
        Assert.DoesNotContain(
            s_assembly.GetExportedTypes().SelectMany(type => type.GetMethods()),
            method => method.GetGenericArguments().Length > 2);

    [Fact]
    public void The_core_references_only_the_framework_and_the_packages_that_every_host_has() =>
        Assert.All(
            s_assembly.GetReferencedAssemblies(),
            name => Assert.Matches(@"^(System\.|Microsoft\.Extensions\.(.*Abstractions|Options|Primitives|Configuration(\.Binder)?|Diagnostics\.HealthChecks)$)", name.Name!));

    [Theory]
    [MemberData(nameof(Sources))]
    public void A_source_file_keeps_the_rules(string file)
    {
        var text = File.ReadAllText(Path.Combine(Repository.Root, file));
        Assert.True(text.Count(character => character == '\n') <= 300, "The file has more than 300 lines.");
        if (!file.Contains("RequestCoalescing.Analyzers", StringComparison.Ordinal)) Assert.DoesNotMatch(ForbiddenClock(), text); // a rule names the clocks that it looks for
        Assert.DoesNotMatch(BlockingWait(), text);
        Assert.InRange(TopLevelPublicType().Count(text), 0, 1);
        if (TopLevelPublicType().Match(text) is { Success: true } type)
        {
            Assert.Equal(type.Groups["name"].Value, Path.GetFileNameWithoutExtension(file).Split('{', '.')[0]);
        }
    }

    // All code uses the TimeProvider of the options as its clock.
    [GeneratedRegex(@"\bDateTime(Offset)?\.(Utc)?Now\b|\bStopwatch\b|\bEnvironment\.TickCount|\bTask\.Delay\((?![^;]*\b([Cc]lock|TimeProvider)\b[^;]*;)|new Timer\(")]
    private static partial Regex ForbiddenClock();

    // The code is asynchronous only. GetAwaiter().GetResult() is allowed on a completed task.
    [GeneratedRegex(@"\.Wait\(\)|\bThread\.Sleep\b|NotImplementedException|\bTODO\b")]
    private static partial Regex BlockingWait();

    [GeneratedRegex(@"^public (?:static |sealed |abstract |partial |readonly |record )*(?:class|interface|struct|enum|record) (?<name>\w+)", RegexOptions.Multiline)]
    private static partial Regex TopLevelPublicType();
}

using Microsoft.CodeAnalysis;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.EngineOfRequest;

/// <summary>Questions about the types of engines and of those that own them.</summary>
internal static class EngineTypes
{
    private static readonly string[] s_attributesOfTests =
    [
        "Xunit.FactAttribute",
        "NUnit.Framework.TestAttribute",
        "Microsoft.VisualStudio.TestTools.UnitTesting.TestMethodAttribute",
        "TUnit.Core.TestAttribute",
        "BenchmarkDotNet.Attributes.BenchmarkAttribute",
    ];

    private static readonly (string Namespace, string Name)[] s_madePerRequest =
    [
        ("Microsoft.AspNetCore.Mvc", "ControllerBase"),
        ("Microsoft.AspNetCore.Mvc", "Controller"),
        ("Microsoft.AspNetCore.Mvc", "ViewComponent"),
        ("Microsoft.AspNetCore.Mvc.RazorPages", "PageModel"),
        ("Microsoft.AspNetCore.SignalR", "Hub"),
    ];

    public static bool IsEngine(this ITypeSymbol? type) =>
        type.DerivesFrom("RequestCoalescing", "Singleflight`1") || type.Is("RequestCoalescing", "RedisSingleflight");

    /// <summary>Whether the framework creates an instance for each request, so that its fields live as long as the request.</summary>
    public static bool IsMadePerRequest(this ITypeSymbol? type) => s_madePerRequest.Any(made => type.DerivesFrom(made.Namespace, made.Name));

    /// <summary>Whether the compilation contains tests or benchmarks. An engine for each of them is right.</summary>
    public static bool HasTests(this Compilation compilation) => s_attributesOfTests.Any(name => compilation.GetTypeByMetadataName(name) is not null);
}

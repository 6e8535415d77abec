using System.Collections.Immutable;
using Basic.Reference.Assemblies;
using Microsoft.AspNetCore.Http;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Caching.Hybrid;

namespace RequestCoalescing.Analyzers.Tests;

/// <summary>Gives the code of a test the framework, ASP.NET Core, Entity Framework Core, the caches, and this library. Nothing is downloaded.</summary>
internal static class Code
{
    private static readonly Lazy<CSharpCompilation> s_empty =
        new(() => CSharpCompilation.Create("code", [CSharpSyntaxTree.ParseText(Usings.Text, ParseOptions, Usings.Name)], References, Options));

    public static ReferenceAssemblies NoPackages { get; } = new("net10.0");

    public static CSharpParseOptions ParseOptions { get; } = new(LanguageVersion.Latest, DocumentationMode.Diagnose);

    public static CSharpCompilationOptions Options { get; } =
        new(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable, allowUnsafe: true);

    public static (string Name, string Text) Usings { get; } = (
        "/0/Usings.cs",
        """
        global using System;
        global using System.Collections.Generic;
        global using System.Diagnostics;
        global using System.Linq;
        global using System.Security.Claims;
        global using System.Threading;
        global using System.Threading.Tasks;
        global using Microsoft.AspNetCore.Builder;
        global using Microsoft.AspNetCore.Http;
        global using Microsoft.AspNetCore.Mvc;
        global using Microsoft.EntityFrameworkCore;
        global using Microsoft.Extensions.Caching.Hybrid;
        global using Microsoft.Extensions.Caching.Memory;
        global using Microsoft.Extensions.DependencyInjection;
        global using Microsoft.Extensions.Logging;
        global using Microsoft.Extensions.Options;
        global using RequestCoalescing;
        """);

    /// <summary>A compilation of the usings alone.</summary>
    public static CSharpCompilation Empty => s_empty.Value;

    public static ImmutableArray<MetadataReference> References { get; } =
    [
        .. Net100.References.All,
        .. Loaded(typeof(HttpContext), "Microsoft.*.dll"),
        .. new[] { typeof(DbContext), typeof(RelationalQueryableExtensions), typeof(HybridCache), typeof(ISingleflight) }
            .Select(type => MetadataReference.CreateFromFile(type.Assembly.Location)),
    ];

    /// <summary>The assemblies of the framework that a type is part of, unless the references have them already.</summary>
    private static IEnumerable<MetadataReference> Loaded(Type type, string pattern) => Directory
        .EnumerateFiles(Path.GetDirectoryName(type.Assembly.Location)!, pattern)
        .Where(file => Net100.References.All.All(reference => !reference.FilePath!.EndsWith(Path.GetFileName(file), StringComparison.OrdinalIgnoreCase)))
        .Where(file => Path.GetFileName(file) != Path.GetFileName(typeof(HybridCache).Assembly.Location))
        .Select(file => MetadataReference.CreateFromFile(file));
}

using Microsoft.CodeAnalysis;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.ResultIsDisposable;

/// <summary>
/// Types that one reader uses up, or that their user must dispose. Other disposable types may be clients or pools, which live long and which
/// callers may share.
/// </summary>
internal static class OneReaderTypes
{
    private static readonly (string Namespace, string Name)[] s_types =
    [
        ("Microsoft.EntityFrameworkCore", "DbContext"),
        ("Microsoft.Extensions.DependencyInjection", "AsyncServiceScope"),
        ("Microsoft.Extensions.DependencyInjection", "IServiceScope"),
        ("System.Buffers", "IMemoryOwner`1"),
        ("System.Collections", "IEnumerator"),
        ("System.Collections.Generic", "IAsyncEnumerator`1"),
        ("System.Data", "IDataReader"),
        ("System.Data", "IDbCommand"),
        ("System.Data", "IDbConnection"),
        ("System.Data", "IDbTransaction"),
        ("System.IO", "Stream"),
        ("System.IO", "TextReader"),
        ("System.IO", "TextWriter"),
        ("System.IO.Compression", "ZipArchive"),
        ("System.Net.Http", "HttpContent"),
        ("System.Net.Http", "HttpRequestMessage"),
        ("System.Net.Http", "HttpResponseMessage"),
        ("System.Net.WebSockets", "WebSocket"),
        ("System.Text.Json", "JsonDocument"),
        ("System.Threading", "CancellationTokenSource"),
        ("System.Threading.RateLimiting", "RateLimitLease"),
        ("System.Xml", "XmlReader"),
    ];

    /// <summary>The type of this kind in a result: the result itself, or an element of a tuple. Null if there is none.</summary>
    public static ITypeSymbol? In(ITypeSymbol? result) => result switch
    {
        INamedTypeSymbol { IsTupleType: true } tuple => tuple.TupleElements.Select(element => In(element.Type)).FirstOrDefault(type => type is not null),
        INamedTypeSymbol { OriginalDefinition.SpecialType: SpecialType.System_Nullable_T } nullable => In(nullable.TypeArguments[0]),
        _ => Is(result) ? result : null,
    };

    public static bool IsDisposable(this ITypeSymbol? type) => type.Implements("System", "IDisposable") || type.Implements("System", "IAsyncDisposable");

    /// <summary>Nothing but disposing can be done with a value whose type is the interface itself.</summary>
    private static bool Is(ITypeSymbol? type) =>
        type.Is("System", "IDisposable") || type.Is("System", "IAsyncDisposable") ||
        s_types.Any(known => type.DerivesFrom(known.Namespace, known.Name) || type.Implements(known.Namespace, known.Name));
}

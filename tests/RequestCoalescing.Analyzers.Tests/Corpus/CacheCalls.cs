using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace RequestCoalescing.Analyzers.Tests.Corpus;

/// <summary>
/// Turns calls of caches into coalesced calls, so that the rules look at them: <c>cache.GetOrAdd(key, k => Load(k))</c> becomes
/// <c>CorpusFlights.Of&lt;TKey>().ExecuteAsync(key, flight => …)</c>. Lines stay where they are. Calls of <c>IMemoryCache</c> and <c>HybridCache</c>
/// stay as they are, because a setting makes the rules look at them.
/// </summary>
internal sealed partial class CacheCalls(SemanticModel model) : CSharpSyntaxRewriter
{
    /// <summary>Declares the flights that the rewritten calls are made on. Results that do not resolve are dynamic.</summary>
    public const string Flights =
        """
        public abstract class CorpusFlights<TKey> : RequestCoalescing.SingleflightBase<TKey> where TKey : notnull
        {
            public abstract System.Threading.Tasks.ValueTask<dynamic> ExecuteAsync(TKey key, System.Func<System.Threading.CancellationToken, System.Threading.Tasks.Task<dynamic>> work, System.Threading.CancellationToken token = default);
            public abstract System.Threading.Tasks.ValueTask<dynamic> ExecuteAsync(TKey key, System.Func<System.Threading.CancellationToken, dynamic> work, System.Threading.CancellationToken token = default);
        }

        public static class CorpusFlights
        {
            public static CorpusFlights<TKey> Of<TKey>() where TKey : notnull => null!;
        }
        """;

    public int Rewritten { get; private set; }

    public static bool MayBe(InvocationExpressionSyntax call) =>
        call.Expression is MemberAccessExpressionSyntax { Name.Identifier.ValueText: var name, Expression: var receiver } &&
        (Creates().IsMatch(name) || (Gets().IsMatch(name) && CacheName().IsMatch(receiver.ToString()))) &&
        call.ArgumentList.Arguments is { Count: >= 2 } arguments && arguments.Skip(1).Any(argument => argument.Expression is AnonymousFunctionExpressionSyntax);

    public override SyntaxNode? VisitInvocationExpression(InvocationExpressionSyntax node)
    {
        var visited = (InvocationExpressionSyntax)base.VisitInvocationExpression(node)!;
        if (!MayBe(node) || StaysAsItIs(node)) return visited;
        Rewritten++;
        return SyntaxFactory.ParseExpression(Text(node, visited)).WithTriviaFrom(visited);
    }

    private bool StaysAsItIs(InvocationExpressionSyntax call) =>
        model.GetSymbolInfo(call).Symbol is IMethodSymbol { ContainingType: { Name: "CacheExtensions" or "HybridCache" } };

    private string Text(InvocationExpressionSyntax original, InvocationExpressionSyntax call)
    {
        var arguments = call.ArgumentList.Arguments;
        var key = arguments[0].Expression;
        var work = arguments.Skip(1).Select(argument => argument.Expression).OfType<AnonymousFunctionExpressionSyntax>().First();
        var token = arguments.Skip(1).Select(argument => argument.Expression).FirstOrDefault(argument => TokenName().IsMatch(argument.ToString()));
        var others = arguments.Skip(1).Select(argument => argument.Expression).Where(argument => argument != work && argument != token && argument is not LiteralExpressionSyntax).ToList();
        var type = model.GetTypeInfo(original.ArgumentList.Arguments[0].Expression).Type is { TypeKind: not TypeKind.Error } known ? known.ToDisplayString(SymbolDisplayFormat.FullyQualifiedFormat) : "object";
        var text = $"global::CorpusFlights.Of<{type.TrimEnd('?')}>().ExecuteAsync({key.ToFullString()}, {Work(work, key, others)}, {token?.ToString() ?? "default"})";
        if (original.Parent is AwaitExpressionSyntax or MemberAccessExpressionSyntax { Name.Identifier.ValueText: "ConfigureAwait" }) return text;
        var isAsync = original.Expression is MemberAccessExpressionSyntax access && access.Name.Identifier.ValueText.EndsWith("Async", StringComparison.Ordinal);
        return text + (isAsync ? ".AsTask()" : ".AsTask().GetAwaiter().GetResult()");
    }

    /// <summary>The lambda with one parameter, the flight. Its former parameters become locals: the key, the state, or an entry of the cache.</summary>
    private static string Work(AnonymousFunctionExpressionSyntax work, ExpressionSyntax key, List<ExpressionSyntax> others)
    {
        var parameters = work switch
        {
            SimpleLambdaExpressionSyntax simple => [simple.Parameter],
            ParenthesizedLambdaExpressionSyntax lambda => lambda.ParameterList.Parameters.ToList(),
            AnonymousMethodExpressionSyntax { ParameterList: { } list } => list.Parameters.ToList(),
            _ => [],
        };
        var flight = "corpusFlight";
        var locals = "";
        foreach (var parameter in parameters.Where(parameter => parameter.Identifier.ValueText is not "_"))
        {
            var name = parameter.Identifier.ValueText;
            if (TokenName().IsMatch(name) || parameter.Type?.ToString() == "CancellationToken") flight = name;
            else if (parameter == parameters[0] && !EntryName().IsMatch(name)) locals += $"var {name} = {key.ToString().ReplaceLineEndings(" ")}; ";
            else if (others.Count > 0 && parameter == parameters[^1] && parameters.Count > 1) locals += $"var {name} = {others[^1].ToString().ReplaceLineEndings(" ")}; ";
            else locals += $"dynamic {name} = null!; ";
        }

        var modifiers = work.AsyncKeyword.IsKind(SyntaxKind.AsyncKeyword) ? "async " : "";
        return work.Body is BlockSyntax block
            ? $"{modifiers}{flight} => {{ {locals}{block.ToFullString().Trim()[1..]}"
            : $"{modifiers}{flight} => {{ {locals}return {work.Body.ToFullString()}; }}";
    }

    [GeneratedRegex("^(GetOrAdd|GetOrCreate|GetOrSet|GetOrLoad|GetOrFetch)\\w*$")]
    private static partial Regex Creates();

    [GeneratedRegex("^(Get|GetAsync)$")]
    private static partial Regex Gets();

    [GeneratedRegex("cache", RegexOptions.IgnoreCase)]
    private static partial Regex CacheName();

    [GeneratedRegex("^(ct|cts|token|\\w*[cC]ancel\\w*)(\\.\\w+)?$")]
    private static partial Regex TokenName();

    [GeneratedRegex("^(e|entry|ctx|context|o|options|opts|cacheEntry|x|async)$")]
    private static partial Regex EntryName();
}

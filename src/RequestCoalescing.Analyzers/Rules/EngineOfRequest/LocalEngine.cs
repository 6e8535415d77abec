using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.EngineOfRequest;

/// <summary>
/// Proves that an engine in a local never has two calls at once: only its own function uses it, and each call is awaited or returned before the
/// next one can begin. Such an engine cannot coalesce. Any other use may be a fan-out, or keeps the engine, and proves nothing.
/// </summary>
internal static class LocalEngine
{
    public static bool IsUseless(IVariableDeclaratorOperation declarator, CoalescedCalls calls, AnalyzerOptions options)
    {
        var called = false;
        foreach (var reference in declarator.ReferencesTo(declarator.Symbol))
        {
            if (reference.Function() != declarator.Function()) return false;
            if (reference.WithConversions().Parent is IUsingOperation) continue;
            if (reference.CallOn() is not { } invocation) return false;
            if (calls.Find(invocation, options) is not null)
            {
                if (!invocation.IsAwaitedAtOnce()) return false;
                called = true;
            }
            else if (invocation.TargetMethod.Name is not ("Forget" or "Clear" or "GetStats" or "DrainAsync" or "DisposeAsync"))
            {
                return false;
            }
        }

        return called;
    }
}

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.FlowAnalysis;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.ValueTaskMisuse;

/// <summary>The control flow graph of the innermost function around an operation.</summary>
internal static class FunctionGraph
{
    public static ControlFlowGraph? Of(IOperation operation, ControlFlowGraph graph)
    {
        var function = operation.Function();
        if (function.Parent is null) return graph;
        if (Of(function, graph) is not { } outer) return null;
        if (function is ILocalFunctionOperation local) return outer.LocalFunctions.Contains(local.Symbol) ? outer.GetLocalFunctionControlFlowGraph(local.Symbol) : null;
        var flow = outer.Blocks
            .SelectMany(block => block.BranchValue is { } value ? block.Operations.Append(value) : block.Operations)
            .SelectMany(candidate => candidate.DescendantsAndSelf())
            .OfType<IFlowAnonymousFunctionOperation>()
            .FirstOrDefault(candidate => candidate.Syntax == function.Syntax);
        return flow is null ? null : outer.GetAnonymousFunctionControlFlowGraph(flow);
    }
}

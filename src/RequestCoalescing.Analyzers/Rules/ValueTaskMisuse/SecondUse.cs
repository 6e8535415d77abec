using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.FlowAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace RequestCoalescing.Analyzers.Rules.ValueTaskMisuse;

/// <summary>
/// Finds the uses of a local that take the outcome of its value after another use may have taken it. The paths are those of the control flow graph:
/// two branches exclude each other, a loop repeats, and a new value starts anew.
/// </summary>
internal sealed class SecondUse
{
    private readonly ILocalSymbol _local;
    private readonly HashSet<SyntaxNode> _uses;
    private readonly List<SyntaxNode> _found = [];

    private SecondUse(ILocalSymbol local, IEnumerable<IOperation> uses)
    {
        _local = local;
        _uses = [.. uses.Select(use => use.Syntax)];
    }

    /// <param name="graph">The graph of the function that has the local.</param>
    /// <param name="local">The local.</param>
    /// <param name="uses">The references to the local that take its outcome.</param>
    public static IReadOnlyList<SyntaxNode> Find(ControlFlowGraph graph, ILocalSymbol local, IEnumerable<IOperation> uses)
    {
        var search = new SecondUse(local, uses);
        search.Run(graph);
        return search._found;
    }

    private void Run(ControlFlowGraph graph)
    {
        var isTaken = new bool[graph.Blocks.Length]; // whether the outcome may have been taken when the block begins
        var open = new Stack<BasicBlock>([graph.Blocks[0]]);
        var seen = new HashSet<(int Block, bool Taken)>();
        while (open.Count > 0)
        {
            var block = open.Pop();
            if (!seen.Add((block.Ordinal, isTaken[block.Ordinal]))) continue;
            var taken = Pass(block, isTaken[block.Ordinal]);
            foreach (var next in new[] { block.FallThroughSuccessor?.Destination, block.ConditionalSuccessor?.Destination })
            {
                if (next is null) continue;
                if (taken) isTaken[next.Ordinal] = true;
                open.Push(next);
            }
        }
    }

    private bool Pass(BasicBlock block, bool taken)
    {
        IEnumerable<IOperation> operations = block.BranchValue is { } value ? block.Operations.Append(value) : block.Operations;
        foreach (var operation in operations.SelectMany(InOrder))
        {
            switch (operation)
            {
                case ISimpleAssignmentOperation { Target: ILocalReferenceOperation target } when IsLocal(target):
                    taken = false;
                    break;
                case ILocalReferenceOperation reference when IsLocal(reference) && _uses.Contains(reference.Syntax):
                    if (taken && !_found.Contains(reference.Syntax)) _found.Add(reference.Syntax);
                    taken = true;
                    break;
                default:
                    break;
            }
        }

        return taken;
    }

    /// <summary>The operations in the order in which they happen: an assignment after its value.</summary>
    private static IEnumerable<IOperation> InOrder(IOperation operation) => [.. operation.ChildOperations.SelectMany(InOrder), operation];

    private bool IsLocal(ILocalReferenceOperation reference) => SymbolEqualityComparer.Default.Equals(reference.Local, _local);
}

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;
using RequestCoalescing.Analyzers.Flow;

namespace RequestCoalescing.Analyzers.Rules.ConcatenatedKey;

/// <summary>Finds the places where the work reads the key. Work that reads the key alone, as an address, gives equal results for equal keys.</summary>
internal static class KeyReads
{
    /// <summary>Whether the work reads the key, and its parts nowhere else.</summary>
    public static bool AreAll(CoalescedCall call, IOperation key)
    {
        var parts = key.DescendantsAndSelf().Select(Input.Of).OfType<Input>().ToList();
        var isKeyRead = false;
        foreach (var read in call.Work.ReadsOf(call))
        {
            if (IsKey(read, call, key)) isKeyRead = true;
            else if (Input.Of(read) is { } input && parts.Any(part => part.HasRoot(input.Root))) return false;
        }

        return isKeyRead;
    }

    /// <summary>Whether an operation is the local that holds the key, or a part of an expression that is written like the key.</summary>
    private static bool IsKey(IOperation read, CoalescedCall call, IOperation key)
    {
        if (read is ILocalReferenceOperation { Local: var local } && SymbolEqualityComparer.Default.Equals(local, call.Key.WithoutConversions().Variable())) return true;
        for (var current = read; current is not null && current != call.Work.Body; current = current.Parent)
        {
            if (SyntaxFactory.AreEquivalent(current.Syntax, key.Syntax)) return true;
        }

        return false;
    }
}

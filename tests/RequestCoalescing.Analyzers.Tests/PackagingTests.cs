namespace RequestCoalescing.Analyzers.Tests;

/// <summary>Both assemblies of the rules are where the compiler and the editors look for them.</summary>
public sealed class PackagingTests
{
    [Fact]
    public void The_rules_need_no_workspaces_so_that_a_compiler_can_load_them()
    {
        var analyzers = System.Reflection.Assembly.Load("RequestCoalescing.Analyzers");

        Assert.DoesNotContain(analyzers.GetReferencedAssemblies(), reference => reference.Name!.Contains("Workspaces", StringComparison.Ordinal));
    }
}

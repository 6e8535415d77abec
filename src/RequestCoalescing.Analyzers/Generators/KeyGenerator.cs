using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace RequestCoalescing.Analyzers.Generators;

/// <summary>Generates the text of keys, and the bodies of coalesced methods.</summary>
[Generator]
public sealed class KeyGenerator : IIncrementalGenerator
{
    internal const string Keys = nameof(Keys);
    internal const string Methods = nameof(Methods);
    internal const string Interfaces = nameof(Interfaces);

    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        var keys = context.SyntaxProvider
            .ForAttributeWithMetadataName(
                Symbols.KeyAttribute,
                static (node, _) => node is TypeDeclarationSyntax,
                static (attributed, _) => KeyParser.Parse((INamedTypeSymbol)attributed.TargetSymbol, new Findings()))
            .Where(static key => key is not null)
            .WithTrackingName(Keys);
        context.RegisterSourceOutput(keys, static (output, key) => output.AddSource(key!.File, KeyEmitter.Emit(key)));

        var methods = context.SyntaxProvider
            .ForAttributeWithMetadataName(
                Symbols.CoalesceAttribute,
                static (node, _) => node is MethodDeclarationSyntax { Parent: not InterfaceDeclarationSyntax },
                static (attributed, _) => MethodParser.Parse((IMethodSymbol)attributed.TargetSymbol, new Findings()))
            .Where(static method => method is not null)
            .WithTrackingName(Methods);
        context.RegisterSourceOutput(methods, static (output, method) => output.AddSource(method!.File, MethodEmitter.Emit(method)));

        // An interface is generated for the first of its marked methods.
        var interfaces = context.SyntaxProvider
            .ForAttributeWithMetadataName(
                Symbols.CoalesceAttribute,
                static (node, _) => node is MethodDeclarationSyntax { Parent: InterfaceDeclarationSyntax },
                static (attributed, _) => attributed.TargetSymbol.ContainingType is var type && SymbolEqualityComparer.Default.Equals(type.GetMembers().First(InterfaceParser.IsMarked), attributed.TargetSymbol)
                    ? InterfaceParser.Parse(type, new Findings())
                    : null)
            .Where(static type => type is not null)
            .WithTrackingName(Interfaces);
        context.RegisterSourceOutput(interfaces, static (output, type) => output.AddSource(type!.File, InterfaceEmitter.Emit(type)));
    }
}

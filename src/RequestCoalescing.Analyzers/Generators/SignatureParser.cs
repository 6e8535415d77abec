using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace RequestCoalescing.Analyzers.Generators;

/// <summary>Reads the signature of a method that is to be coalesced.</summary>
internal static class SignatureParser
{
    // Members that the key has already.
    private static readonly HashSet<string> s_taken = ["Equals", "GetHashCode", "GetType", "ToString", "TryFormat", "Deconstruct", "MemberwiseClone", "ReferenceEquals"];

    /// <summary>Returns the call, or null if the signature has an error.</summary>
    public static CallModel? Parse(IMethodSymbol method, string work, bool isWorkStatic, FlightArgument flight, INamedTypeSymbol owner, Findings findings)
    {
        var attribute = method.Find(Symbols.CoalesceAttribute);
        var text = attribute?.Text("Name") ?? method.Path();
        KeyParser.CheckName(text, method, findings);
        if (method.IsGenericMethod) findings.Add(Rules.MethodDeclaration, method, method.Name, "it is generic. Write a method for each type, or coalesce the calls by hand.");
        var returns = KindOf(method.ReturnType);
        if (method.ReturnsByRef || method.ReturnsByRefReadonly || returns is null)
        {
            findings.Add(Rules.ReturnType, method, method.Name, method.ReturnType.Short());
        }
        else if (ResultOf(method) is { } result)
        {
            if (result.IsReadOnce()) findings.Add(Rules.ReadOnce, method, method.Name, result.Short());
            else if (result.IsDisposable()) findings.Add(Rules.Disposable, method, method.Name, result.Short());
        }

        if (method.Parameters.Count(IsToken) > 1) findings.Add(Rules.TwoTokens, method, method.Name);
        var stem = CallModel.StemOf(method.Name);
        var keyName = Unused(stem + "Key", owner);
        var parameters = ImmutableArray.CreateBuilder<ParameterModel>();
        var parts = ImmutableArray.CreateBuilder<KeyPart>();
        foreach (var parameter in method.Parameters)
        {
            var role = IsToken(parameter) ? ParameterRole.Token : parameter.Find(Symbols.NotInKeyAttribute) is { } left ? LeftOut(parameter, left, findings) : ParameterRole.Key;
            if (parameter.RefKind != RefKind.None) findings.Add(Rules.ByReference, parameter, parameter.Name, method.Name);
            else if (parameter.Type is { IsRefLikeType: true } or IPointerTypeSymbol or IFunctionPointerTypeSymbol) findings.Add(Rules.PartType, parameter, parameter.Name, parameter.Type.Short(), KeyParser.AdviceFor(parameter.Type));
            else if (role == ParameterRole.Key)
            {
                if (KeyParser.PartOf(PropertyOf(parameter.Name, keyName, parts), parameter.Type) is { } part) parts.Add(part);
                else if (parameter.Type.TypeKind == TypeKind.Error) return null; // the compiler reports it
                else findings.Add(Rules.PartType, parameter, parameter.Name, parameter.Type.Short(), $"{KeyParser.AdviceFor(parameter.Type)} If the result does not depend on it, mark it with [NotInKey(\"why\")].");
            }

            parameters.Add(new ParameterModel(Symbols.Escaped(parameter.Name), (parameter.IsParams ? "params " : "") + parameter.Type.Full(), role));
        }

        if (findings.HasErrors) return null;
        return new CallModel(
            method.Name,
            method.ReturnType.Full(),
            returns!.Value,
            new(parameters.ToImmutable()),
            new KeyModel(keyName, text, new(parts.ToImmutable())),
            work,
            isWorkStatic,
            flight);
    }

    public static bool IsToken(IParameterSymbol parameter) => parameter.Type.Is("System.Threading.CancellationToken");

    public static ReturnKind? KindOf(ITypeSymbol type)
    {
        var isGeneric = type is INamedTypeSymbol { IsGenericType: true };
        return type.Is("System.Threading.Tasks.Task") ? isGeneric ? ReturnKind.TaskOfResult : ReturnKind.Task
            : type.Is("System.Threading.Tasks.ValueTask") ? isGeneric ? ReturnKind.ValueTaskOfResult : ReturnKind.ValueTask
            : null;
    }

    /// <summary>The type that the task of a method returns, or null if it returns none.</summary>
    public static ITypeSymbol? ResultOf(IMethodSymbol method) =>
        KindOf(method.ReturnType) is not null && method.ReturnType is INamedTypeSymbol { TypeArguments.Length: 1 } task ? task.TypeArguments[0] : null;

    private static ParameterRole LeftOut(IParameterSymbol parameter, AttributeData attribute, Findings findings)
    {
        if (string.IsNullOrWhiteSpace(attribute.ConstructorArguments.FirstOrDefault().Value as string)) findings.Add(Rules.NoReason, parameter, parameter.Name, parameter.ContainingSymbol.Name);
        return ParameterRole.NotInKey;
    }

    private static string PropertyOf(string parameter, string keyName, IEnumerable<KeyPart> others)
    {
        var trimmed = parameter.TrimStart('_');
        var name = trimmed.Length == 0 || !SyntaxFacts.IsIdentifierStartCharacter(trimmed[0]) ? parameter : char.ToUpperInvariant(trimmed[0]) + trimmed.Substring(1);
        while (s_taken.Contains(name) || name == keyName || others.Any(other => other.Name == name)) name += "_";
        return name;
    }

    /// <summary>The name, with underscores if the class has a member of it.</summary>
    public static string Unused(string name, INamedTypeSymbol owner)
    {
        while (owner.Name == name || owner.Sees(name).Any()) name += "_";
        return name;
    }
}

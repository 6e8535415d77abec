using System.Collections.Immutable;
using Microsoft.CodeAnalysis;

namespace RequestCoalescing.Analyzers.Generators;

/// <summary>Reads the interfaces with methods that are to be coalesced.</summary>
internal static class InterfaceParser
{
    public static bool IsMarked(ISymbol member) => member is IMethodSymbol && member.Find(Symbols.CoalesceAttribute) is not null;

    /// <summary>Returns the interface, or null if it has an error.</summary>
    public static DeclaredInterface? Parse(INamedTypeSymbol type, Findings findings)
    {
        var name = "Coalesced" + (type.Name.Length > 1 && type.Name[0] == 'I' && char.IsUpper(type.Name[1]) ? type.Name.Substring(1) : type.Name);
        if (type.IsGenericType) Refuse("it is generic.");
        else if (type.ContainingType is not null) Refuse("it is declared in another type. Declare it in a namespace.");
        else if (type.IsFileLocal) Refuse("it is visible in its file only, where no code can be generated.");
        else if (type.ContainingNamespace.GetTypeMembers(name).Any(other => !other.IsPartial() || other.TypeKind != TypeKind.Class)) Refuse($"the name of its class, '{name}', is taken by a type that is not a partial class.");

        var calls = ImmutableArray.CreateBuilder<CallModel>();
        var others = ImmutableArray.CreateBuilder<string>();
        var stems = new HashSet<string>();
        foreach (var member in type.AllInterfaces.Insert(0, type).SelectMany(face => face.GetMembers()))
        {
            if (member is IMethodSymbol { AssociatedSymbol: not null }) continue; // its property or event stands for it
            if (member.IsStatic && member.IsAbstract) Refuse($"'{member.Name}' is static, and the class has no type to pass the call on to.");
            else if (IsMarked(member) && SymbolEqualityComparer.Default.Equals(member.ContainingType, type)) AddCall((IMethodSymbol)member);
            else if (member.IsAbstract && member.DeclaredAccessibility == Accessibility.Protected) Refuse($"'{member.Name}' is protected, so that the class cannot pass the call on.");
            else if (!member.IsStatic && (member.IsAbstract || member.IsVirtual) && member.DeclaredAccessibility != Accessibility.Protected && Forwarding.Of(member, type) is { } forwarding) others.Add(forwarding);
            else if (member is IPropertySymbol { SetMethod.IsInitOnly: true }) Refuse($"'{member.Name}' can be set only while the object is created.");
        }

        if (findings.HasErrors) return null;
        var place = Symbols.PlaceOf(null, type.ContainingNamespace, out _);
        return new DeclaredInterface(
            type.File(),
            place,
            type.DeclaredAccessibility == Accessibility.Public ? "public" : "internal",
            type.Full(),
            name,
            new(calls.ToImmutable()),
            new(others.ToImmutable()));

        void Refuse(string reason) => findings.Add(Rules.InterfaceDeclaration, type, type.Name, reason);

        void AddCall(IMethodSymbol method)
        {
            if (method.IsStatic || !method.IsAbstract) findings.Add(Rules.MethodDeclaration, method, method.Name, "it has a body. Mark methods that the class behind the interface implements.");
            if (method.Find(Symbols.CoalesceAttribute)?.Text("Engine") is { } engine) findings.Add(Rules.Engine, method, engine, method.Name, "the class of an interface gets its engine in its constructor.");
            if (!stems.Add(CallModel.StemOf(method.Name))) findings.Add(Rules.SharedKey, method, method.Name, "have the same name");
            var flight = method.Parameters.Any(SignatureParser.IsToken) ? FlightArgument.Token : FlightArgument.None;
            if (SignatureParser.Parse(method, method.Name, isWorkStatic: false, flight, type, findings) is { } call) calls.Add(call);
        }
    }
}

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace RequestCoalescing.Analyzers.Generators;

/// <summary>Reads the methods of classes that are to be coalesced.</summary>
internal static class MethodParser
{
    /// <summary>Returns the method, or null if the declaration has an error.</summary>
    public static DeclaredMethod? Parse(IMethodSymbol method, Findings findings)
    {
        var type = method.ContainingType;
        var place = Symbols.PlaceOf(type, type.ContainingNamespace, out var problem);
        if (!method.IsPartialDefinition) problem = "it is not partial. Declare it as partial and without a body, and move its body to a method with Core in its name.";
        else if (method.PartialImplementationPart is { } body && !body.IsGenerated()) problem = $"it has a body already. Name the method that does the work {CoreNameOf(method)}.";
        else if (type.TypeKind != TypeKind.Class || type.IsRecord) problem = "it is not a method of a class. A record or struct is copied and compared, and its engine with it.";
        else if (method.IsExtensionMethod) problem = "it is an extension method. Coalesce a method of the object that it extends.";
        if (problem is not null) findings.Add(Rules.MethodDeclaration, method, method.Name, problem);
        if (Marked(type).Count(other => string.Equals(CallModel.StemOf(other.Name), CallModel.StemOf(method.Name), StringComparison.OrdinalIgnoreCase)) > 1) findings.Add(Rules.SharedKey, method, method.Name, "have the same name");

        var core = FindCore(method, out var flight);
        var call = SignatureParser.Parse(method, core?.Name ?? "", core?.IsStatic ?? false, flight, type, findings);
        if (core is null && problem is null && SignatureParser.KindOf(method.ReturnType) is not null && !method.IsGenericMethod) findings.Add(Rules.NoCore, method, method.Name, SuggestedCore(method));
        if (call is null) return null;
        var engine = EngineOf(method, call, findings);
        if (findings.HasErrors || engine is null) return null;
        var modifiers = ((MethodDeclarationSyntax)method.DeclaringSyntaxReferences[0].GetSyntax()).Modifiers;
        var forget = $"Forget{call.Stem}";
        return new DeclaredMethod(
            method.File(),
            place,
            string.Join(" ", modifiers.Select(modifier => modifier.Text)),
            method.IsStatic,
            type.Name,
            engine,
            SignatureParser.Unused($"{(method.IsStatic ? "s" : "")}_{char.ToLowerInvariant(call.Stem[0])}{call.Stem.Substring(1)}Flights", type),
            call,
            type.Sees(forget).Any() ? "" : forget);
    }

    private static string CoreNameOf(IMethodSymbol method) =>
        CallModel.StemOf(method.Name) is var stem && stem == method.Name ? $"{stem}Core" : $"{stem}CoreAsync";

    // The work has the same parameters. In place of the token it may take the flight; without a token, it may take either as one more.
    private static IMethodSymbol? FindCore(IMethodSymbol method, out FlightArgument flight)
    {
        foreach (var core in method.ContainingType.Sees(CoreNameOf(method)).OfType<IMethodSymbol>())
        {
            if (Fits(core, method, out flight)) return core;
        }

        flight = FlightArgument.None;
        return null;
    }

    private static bool Fits(IMethodSymbol core, IMethodSymbol method, out FlightArgument flight)
    {
        flight = FlightArgument.None;
        var hasToken = method.Parameters.Any(SignatureParser.IsToken);
        var extra = core.Parameters.Length - method.Parameters.Length;
        if (core.IsGenericMethod || (method.IsStatic && !core.IsStatic) || extra < 0 || extra > (hasToken ? 0 : 1)) return false;
        for (var i = 0; i < core.Parameters.Length; i++)
        {
            var parameter = core.Parameters[i];
            if (parameter.RefKind != RefKind.None) return false;
            if (i == method.Parameters.Length || SignatureParser.IsToken(method.Parameters[i]))
            {
                if (SignatureParser.IsToken(parameter)) flight = FlightArgument.Token;
                else if (parameter.Type.Is("RequestCoalescing.FlightContext")) flight = FlightArgument.Context;
                else return false;
            }
            else if (!SymbolEqualityComparer.Default.Equals(parameter.Type, method.Parameters[i].Type)) return false;
        }

        return SignatureParser.KindOf(core.ReturnType) is not null && SymbolEqualityComparer.Default.Equals(SignatureParser.ResultOf(core), SignatureParser.ResultOf(method));
    }

    private static string SuggestedCore(IMethodSymbol method)
    {
        var parameters = method.Parameters.Select(parameter => $"{parameter.Type.Short()} {(SignatureParser.IsToken(parameter) ? "flight" : Symbols.Escaped(parameter.Name))}");
        return $"private {(method.IsStatic ? "static " : "")}async {method.ReturnType.Short()} {CoreNameOf(method)}({string.Join(", ", parameters)})";
    }

    private static EngineModel? EngineOf(IMethodSymbol method, CallModel call, Findings findings)
    {
        if (method.Find(Symbols.CoalesceAttribute)?.Text("Engine") is not { } name) return new EngineModel("", "", "");
        var type = method.ContainingType;
        var (engine, isStatic) = type.Sees(name).Select(member => member switch
        {
            IFieldSymbol field => (Type: field.Type, field.IsStatic),
            IPropertySymbol property => (property.Type, property.IsStatic),
            _ => (null!, false),
        }).FirstOrDefault(member => member.Type is not null);
        engine ??= KeyParser.PrimaryParameters(type) is { IsDefault: false } parameters ? parameters.FirstOrDefault(parameter => parameter.Name == name)?.Type : null;
        if (engine is null) return Unfit("the class has no field, property or parameter of that name.");
        if (engine.TypeKind == TypeKind.Error) return null; // the compiler reports it
        if (method.Parameters.Any(parameter => parameter.Name == name)) return Unfit("a parameter of the method has the same name.");
        if (method.IsStatic && !isStatic) return Unfit("it belongs to an object, and the method is static.");

        var faces = engine.InterfacesAndSelf().OfType<INamedTypeSymbol>().Where(face => face.IsGenericType && face.Is("RequestCoalescing.ISingleflight")).ToList();
        if (faces.Count != 1) return Unfit("it is not an ISingleflight<TKey>.");
        var key = faces[0].TypeArguments[0];
        var isClass = engine.TypeKind != TypeKind.Interface && !((INamedTypeSymbol)engine).BasesAndSelf().Any(level => level.Is("RequestCoalescing.SingleflightBase"));
        var member = isClass ? $"(({faces[0].Full()}){Symbols.Escaped(name)})" : Symbols.Escaped(name);
        if (key.SpecialType == SpecialType.System_String)
        {
            return type.IsGenericType
                ? Unfit("its keys are strings, and the class is generic: objects of different types would have the same keys. Use an engine whose keys are a generated key that names the type.")
                : new EngineModel(member, "", "");
        }

        if (key is not INamedTypeSymbol { IsValueType: true } named || named.Find(Symbols.KeyAttribute) is null) return Unfit("its keys are neither strings nor a record struct with [CoalescingKey].");
        if (Arguments(named, method) is not { } arguments) return Unfit($"the parts of its key '{named.Name}' are not the parameters of the method. They need the same names and types.");
        if (Marked(type).Count(other => other.Find(Symbols.CoalesceAttribute)?.Text("Engine") == name) > 1)
        {
            findings.Add(Rules.SharedKey, method, method.Name, $"use '{name}' with keys of the same type");
            return null;
        }

        return new EngineModel(member, named.Full(), arguments);

        EngineModel? Unfit(string reason)
        {
            findings.Add(Rules.Engine, method, name, method.Name, reason);
            return null;
        }
    }

    private static IEnumerable<IMethodSymbol> Marked(INamedTypeSymbol type) =>
        type.GetMembers().OfType<IMethodSymbol>().Where(method => method.IsPartialDefinition && method.Find(Symbols.CoalesceAttribute) is not null);

    private static string? Arguments(INamedTypeSymbol key, IMethodSymbol method)
    {
        var parts = method.Parameters.Where(parameter => !SignatureParser.IsToken(parameter) && parameter.Find(Symbols.NotInKeyAttribute) is null).ToList();
        foreach (var constructor in key.InstanceConstructors.Where(constructor => constructor.Parameters.Length == parts.Count && parts.Count > 0))
        {
            var arguments = constructor.Parameters.Select(parameter =>
                (Parameter: parameter, Part: parts.FirstOrDefault(part => string.Equals(part.Name, parameter.Name, StringComparison.OrdinalIgnoreCase) && SymbolEqualityComparer.Default.Equals(part.Type, parameter.Type)))).ToList();
            if (arguments.All(argument => argument.Part is not null)) return string.Join(", ", arguments.Select(argument => Symbols.Escaped(argument.Part!.Name)));
        }

        return null;
    }
}

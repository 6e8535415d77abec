using Microsoft.CodeAnalysis.CSharp;

namespace RequestCoalescing.Analyzers.Generators;

/// <summary>Writes the classes that coalesce the calls of an interface.</summary>
internal static class InterfaceEmitter
{
    private const string Engine = "global::RequestCoalescing.ISingleflight<string>";

    public static string Emit(DeclaredInterface declared)
    {
        var code = new CodeWriter();
        code.Enter(declared.Place);
        code.Line($"/// <summary>Coalesces {string.Join(", ", declared.Calls.Select(call => call.Method))} of the object behind it, and passes all other calls on.</summary>");
        code.Open($"{declared.Accessibility} sealed partial class {declared.Name} : {declared.Interface}");
        code.Line($"private readonly {declared.Interface} _inner;");
        code.Line($"private readonly {Engine} _flights;");
        code.Line();
        code.Line("/// <summary>Coalesces the calls of an object.</summary>");
        code.Line("/// <param name=\"inner\">Does the work. It must live as long as this object, because callers share its work.</param>");
        code.Line("/// <param name=\"singleflight\">The engine; null for one of its own. Objects that share an engine must give the same results.</param>");
        code.Line(CodeWriter.Generated);
        code.Open($"public {declared.Name}({declared.Interface} inner, {Engine}? singleflight = null)");
        code.Line("global::System.ArgumentNullException.ThrowIfNull(inner);");
        code.Line("_inner = inner;");
        code.Line($"_flights = singleflight ?? new global::RequestCoalescing.Singleflight(new global::RequestCoalescing.SingleflightOptions {{ Name = {SymbolDisplay.FormatLiteral(declared.Name, quote: true)} }});");
        code.Close();
        foreach (var call in declared.Calls)
        {
            var key = $"{CallEmitter.NewKey(call)}.ToString()";
            code.Line();
            code.Line(CodeWriter.Generated);
            code.Line($"{call.Returns} {declared.Interface}.{Symbols.Escaped(call.Method)}({CallEmitter.ParametersOf(call)}) =>");
            CallEmitter.WriteBody(code, call, "this._flights", key, "this._inner");
            CallEmitter.WriteForget(code, call, "public", "this._flights", key);
        }

        foreach (var other in declared.Others)
        {
            code.Line();
            code.Line(CodeWriter.Generated);
            code.Line(other);
        }

        foreach (var call in declared.Calls) CallEmitter.WriteKey(code, call);
        return code.ToString();
    }
}

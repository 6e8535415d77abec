using Microsoft.CodeAnalysis.CSharp;

namespace RequestCoalescing.Analyzers.Generators;

/// <summary>Writes the coalesced methods of classes.</summary>
internal static class MethodEmitter
{
    public static string Emit(DeclaredMethod method)
    {
        var call = method.Call;
        var code = new CodeWriter();
        code.Enter(method.Place);
        var engine = method.Engine.Member;
        if (engine.Length == 0)
        {
            engine = method.Flights;
            code.Line(CodeWriter.Generated);
            code.Line($"private {(method.IsStatic ? "static " : "")}readonly global::RequestCoalescing.Singleflight<{call.Key.Name}> {engine} =");
            code.Indented($"new(new global::RequestCoalescing.SingleflightOptions {{ Name = {SymbolDisplay.FormatLiteral($"{method.Owner}.{call.Method}", quote: true)} }});");
            code.Line();
        }

        var isTyped = method.Engine.KeyType.Length > 0;
        var key = isTyped ? $"new {method.Engine.KeyType}({method.Engine.KeyArguments})"
            : method.Engine.Member.Length > 0 ? $"{CallEmitter.NewKey(call)}.ToString()"
            : CallEmitter.NewKey(call);
        code.Line(CodeWriter.Generated);
        code.Line($"{method.Modifiers} {call.Returns} {Symbols.Escaped(call.Method)}({CallEmitter.ParametersOf(call)}) =>");
        CallEmitter.WriteBody(code, call, engine, key, call.IsWorkStatic ? "" : "this");
        if (method.Forget.Length > 0) CallEmitter.WriteForget(code, call, method.IsStatic ? "private static" : "private", engine, key);
        if (!isTyped) CallEmitter.WriteKey(code, call);
        return code.ToString();
    }
}

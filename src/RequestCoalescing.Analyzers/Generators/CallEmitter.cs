namespace RequestCoalescing.Analyzers.Generators;

/// <summary>Writes the parts of a coalesced call.</summary>
internal static class CallEmitter
{
    // Names that the elements of a tuple cannot have.
    private static readonly HashSet<string> s_reserved = ["CompareTo", "Deconstruct", "Equals", "GetHashCode", "Rest", "ToString"];

    /// <summary>Writes the body of a method, as lines after its header.</summary>
    /// <param name="code">The code.</param>
    /// <param name="call">The call.</param>
    /// <param name="engine">The expression for the engine.</param>
    /// <param name="key">The expression for the key.</param>
    /// <param name="target">The expression for the object that does the work; empty if the work is static.</param>
    public static void WriteBody(CodeWriter code, CallModel call, string engine, string key, string target)
    {
        var (state, parameter, work) = Work(call, target);
        var (start, end) = call.ReturnKind switch
        {
            ReturnKind.ValueTask => ("new(", ").AsTask());"),
            ReturnKind.ValueTaskOfResult => ("", ");"),
            _ => ("", ").AsTask();"),
        };
        var lambda = call.ReturnKind is ReturnKind.Task or ReturnKind.ValueTask
            ? $"static async ({parameter}, flight) => {{ await {work}.ConfigureAwait(false); return true; }}"
            : $"static ({parameter}, flight) => {work}";
        var token = call.Parameters.FirstOrDefault(candidate => candidate.Role == ParameterRole.Token)?.Name ?? "default";
        code.Indented($"{start}{engine}.ExecuteAsync(");
        code.Indented($"    {key},", $"    {state},", $"    {lambda},", $"    {token}{end}");
    }

    public static string ParametersOf(CallModel call, bool inKeyOnly = false) =>
        string.Join(", ", call.Parameters.Where(parameter => !inKeyOnly || parameter.Role == ParameterRole.Key).Select(parameter => $"{parameter.Type} {parameter.Name}"));

    /// <summary>The expression that makes the key of the parameters.</summary>
    public static string NewKey(CallModel call) =>
        $"new {call.Key.Name}({string.Join(", ", call.Parameters.Where(parameter => parameter.Role == ParameterRole.Key).Select(parameter => parameter.Name))})";

    /// <summary>Writes the type of the key.</summary>
    public static void WriteKey(CodeWriter code, CallModel call)
    {
        code.Line();
        code.Line($"/// <summary>The key of {call.Method}: every parameter that its result depends on.</summary>");
        code.Open($"private readonly record struct {call.Key.Name}({string.Join(", ", call.Key.Parts.Select(part => $"{part.Type} {part.Name}"))}) : {KeyEmitter.Interface}");
        KeyEmitter.WriteMembers(code, call.Key);
        code.Close();
    }

    /// <summary>Writes a method that forgets the flight of a key.</summary>
    public static void WriteForget(CodeWriter code, CallModel call, string modifiers, string engine, string key)
    {
        code.Line();
        code.Line($"/// <summary>Forgets the flight of {call.Method} with these parameters. Call it after a write that changes the result.</summary>");
        code.Line("/// <returns>Whether there was a flight.</returns>");
        code.Line(CodeWriter.Generated);
        code.Line($"{modifiers} bool Forget{call.Stem}({ParametersOf(call, inKeyOnly: true)}) => {engine}.Forget({key});");
    }

    // The state of the work: the object and the parameters. It is a tuple, unless it is one value or none.
    private static (string State, string Parameter, string Work) Work(CallModel call, string target)
    {
        List<(string Name, string Value)> elements = target.Length > 0 ? [("target", target)] : [];
        var passed = call.Parameters.Where(parameter => parameter.Role != ParameterRole.Token).ToList();
        elements.AddRange(passed.Select(parameter => (Unused(parameter.Name), parameter.Name)));
        var (state, name) = elements.Count switch
        {
            0 => ("0", "_"),
            1 => (elements[0].Value, "state"),
            _ => ($"({string.Join(", ", elements.Select(element => element.Name == element.Value ? element.Name : $"{element.Name}: {element.Value}"))})", "state"),
        };
        var arguments = new List<string>();
        var isPassed = false;
        foreach (var parameter in call.Parameters)
        {
            if (parameter.Role == ParameterRole.Token) PassFlight();
            else arguments.Add(Read(Unused(parameter.Name)));
        }

        PassFlight();
        var receiver = target.Length > 0 ? $"{Read("target")}." : "";
        return (state, name, $"{receiver}{Symbols.Escaped(call.Work)}({string.Join(", ", arguments)})");

        string Read(string element) => elements.Count == 1 ? "state" : $"state.{element}";

        void PassFlight()
        {
            if (!isPassed && call.Flight != FlightArgument.None) arguments.Add(call.Flight == FlightArgument.Context ? "flight" : "flight.CancellationToken");
            isPassed = true;
        }
    }

    private static string Unused(string name) => name == "target" || s_reserved.Contains(name) || name.StartsWith("Item", StringComparison.Ordinal) ? name + "_" : name;
}

namespace RequestCoalescing.Analyzers.Generators;

/// <summary>Says how the generated code uses a parameter.</summary>
internal enum ParameterRole
{
    Key,
    NotInKey,
    Token,
}

/// <summary>Names the kinds of tasks that a method can return.</summary>
internal enum ReturnKind
{
    TaskOfResult,
    ValueTaskOfResult,
    Task,
    ValueTask,
}

/// <summary>Says how the work gets the flight.</summary>
internal enum FlightArgument
{
    None,
    Token,
    Context,
}

/// <summary>A parameter of a method.</summary>
/// <param name="Name">Its name, with an @ if that is a keyword.</param>
/// <param name="Type">Its type, in full, after <c>params</c> if it has that.</param>
/// <param name="Role">Its use in the generated code.</param>
internal sealed record ParameterModel(string Name, string Type, ParameterRole Role);

/// <summary>A call that is coalesced.</summary>
/// <param name="Method">The name of the method.</param>
/// <param name="Returns">Its return type, in full.</param>
/// <param name="ReturnKind">The kind of its return type.</param>
/// <param name="Parameters">Its parameters.</param>
/// <param name="Key">Its key.</param>
/// <param name="Work">The name of the method that does the work.</param>
/// <param name="IsWorkStatic">Whether that method is static.</param>
/// <param name="Flight">How it gets the flight: in place of the token, or after the other parameters.</param>
internal sealed record CallModel(
    string Method,
    string Returns,
    ReturnKind ReturnKind,
    EquatableArray<ParameterModel> Parameters,
    KeyModel Key,
    string Work,
    bool IsWorkStatic,
    FlightArgument Flight)
{
    /// <summary>The method's name without <c>Async</c>.</summary>
    public string Stem => StemOf(Method);

    public static string StemOf(string method) =>
        method.EndsWith("Async", StringComparison.Ordinal) && method.Length > "Async".Length ? method.Substring(0, method.Length - "Async".Length) : method;
}

/// <summary>The engine of a method of a class.</summary>
/// <param name="Member">An expression for the engine; empty if it is generated.</param>
/// <param name="KeyType">The type of its keys, if that is a generated key of the user; else empty.</param>
/// <param name="KeyArguments">The arguments of that key's constructor.</param>
internal sealed record EngineModel(string Member, string KeyType, string KeyArguments);

/// <summary>A method of a class whose body is to be generated.</summary>
/// <param name="File">The name of the generated file.</param>
/// <param name="Place">The class.</param>
/// <param name="Modifiers">The modifiers of the method.</param>
/// <param name="IsStatic">Whether it is static.</param>
/// <param name="Owner">The name of the class, for the name of the engine.</param>
/// <param name="Engine">The engine.</param>
/// <param name="Flights">The name of the field for a generated engine.</param>
/// <param name="Call">The call.</param>
/// <param name="Forget">The name of the method that forgets a flight; empty if the class has a member of that name.</param>
internal sealed record DeclaredMethod(string File, Place Place, string Modifiers, bool IsStatic, string Owner, EngineModel Engine, string Flights, CallModel Call, string Forget);

/// <summary>An interface whose calls are to be coalesced.</summary>
/// <param name="File">The name of the generated file.</param>
/// <param name="Place">The namespace.</param>
/// <param name="Accessibility">The accessibility of the interface.</param>
/// <param name="Interface">The interface, in full.</param>
/// <param name="Name">The name of the class.</param>
/// <param name="Calls">The calls that are coalesced.</param>
/// <param name="Others">The declarations that pass other calls on.</param>
internal sealed record DeclaredInterface(
    string File,
    Place Place,
    string Accessibility,
    string Interface,
    string Name,
    EquatableArray<CallModel> Calls,
    EquatableArray<string> Others);

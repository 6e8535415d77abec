using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;
using RequestCoalescing.Analyzers.Flow;

namespace RequestCoalescing.Analyzers.Rules.KeyLacksInput;

/// <summary>Decides about each thing that the work reads: whether it can differ from call to call, and whether the key contains it.</summary>
internal sealed class WorkInputs(CoalescedCall call, Sources sources, Origins key)
{
    /// <summary>Each alternative begins a word of a name: <c>cacheTtl</c>, but not <c>battleId</c> or <c>bloggerId</c>. A name must begin with <c>requestId</c>, because <c>pullRequestId</c> is data.</summary>
    private static readonly Regex s_harmless = new(
        @"(^|\P{L}|(?=\p{Lu}))(?i:timeout|ttl|retry|retries|attempt|expir(?!ed)|delay(?!ed)|duration|lifetime|traceid|correlationid|logger)|(^|\.)(?i:requestid)",
        RegexOptions.CultureInvariant);

    private static readonly string[] s_request = [".Query[", ".RouteValues[", ".Form[", ".Path", ".QueryString"];

    /// <summary>Returns the input that the key would have to contain. Null if it lacks none.</summary>
    public string? Missing(Input input) => input.Root switch
    {
        IParameterSymbol => IsMissing(input) ? input.Name : null,
        ILocalSymbol local => MissingOf(local, input),
        IFieldSymbol or IPropertySymbol => IsMissingMember(input) ? input.Name : null,
        _ => null,
    };

    private bool IsMissing(Input input) => IsArgument(input) && !IsInKey(input) && !IsPinned(input.Root) && !IsWrittenByWork(input.Root) &&
        (!sources.IsPassed(input.Root) || MissingOrigin(input.Root) is not null);

    /// <summary>A local is missing if the key contains neither it nor the values that it is made of.</summary>
    private string? MissingOf(ILocalSymbol local, Input input)
    {
        if (IsHarmless(input) || IsWrittenByWork(local) || IsPinned(local) || MissingOrigin(local) is not { } missing) return null;
        if (input.Type.IsData()) return input.Name;
        return IsMadeOfData(local.Type) || IsState(local) ? missing.Name : null;
    }

    /// <summary>The first argument of a caller that decides about a variable, and that the key lacks.</summary>
    private Input? MissingOrigin(ISymbol variable) => Origins.OfVariable(variable, sources).Inputs.FirstOrDefault(origin =>
        !sources.IsPassed(origin.Root) && IsArgument(origin) && !IsInKey(origin) && !IsPinned(origin.Root));

    private bool IsPinned(ISymbol variable) => sources.Calls.Any(around => Guards.Pin(around, variable));

    /// <summary>Whether an input is data that each caller can give another value.</summary>
    private bool IsArgument(Input input)
    {
        if (IsHarmless(input)) return false;
        if (IsPartOfRequest(input)) return true;
        return input.Root is IParameterSymbol { RefKind: not RefKind.Out } parameter &&
            !parameter.IsOfPrimaryConstructor() && IsAround(parameter) && parameter.Type.IsData() && input.Type.IsData();
    }

    /// <summary>Whether an input is a part of a request that says which data the caller wants. RC003 looks at the parts that name the viewer.</summary>
    private static bool IsPartOfRequest(Input input)
    {
        var type = TypeOf(input.Root);
        var request = type.Is("Microsoft.AspNetCore.Http", "HttpRequest") ? ""
            : type.Is("Microsoft.AspNetCore.Http", "HttpContext") ? ".Request"
            : type.Is("Microsoft.AspNetCore.Http", "IHttpContextAccessor") ? ".HttpContext.Request"
            : null;
        return request is not null && s_request.Any(part => input.Path.StartsWith(request + part, StringComparison.Ordinal));
    }

    /// <summary>Whether a parameter belongs to a function that contains the call, and not to a lambda that makes a value.</summary>
    private bool IsAround(IParameterSymbol parameter) => parameter.ContainingSymbol.DeclaringSyntaxReferences.Any(function =>
        sources.Calls.Any(around => function.Span.Contains(around.Syntax.Span)));

    /// <summary>A part of an object that is in the key stands for the rest, as the id of a user stands for its name. The parts of a request do not.</summary>
    private bool IsInKey(Input input) => key.Inputs.Any(part => part.Overlaps(input) || (part.HasRoot(input.Root) && !TypeOf(input.Root).IsRequest()));

    private bool IsMissingMember(Input input)
    {
        if (key.UseThis || IsHarmless(input) || IsInKey(input)) return false;
        if (IsPartOfRequest(input)) return true;
        return input.Type.IsData() && TypeOf(input.Root).IsData() && Members.HoldArgument(input.Root, call.Invocation) &&
            !IsWrittenByWork(input.Root) && !IsPinned(input.Root);
    }

    private bool IsWrittenByWork(ISymbol symbol) => call.Work.Body is { } body && body.DescendantsAndSelf().Any(operation =>
        Input.Of(operation) is { } input && input.HasRoot(symbol) && operation.IsWritten());

    /// <summary>Values that decide how the work is done, and not about its result.</summary>
    private static bool IsHarmless(Input input) => s_harmless.IsMatch(input.Name);

    /// <summary>Whether the call passes a local to the work as its state, so that the work gets all values that it is made of.</summary>
    private bool IsState(ILocalSymbol local) => call.State?.WithoutConversions() is ILocalReferenceOperation state && SymbolEqualityComparer.Default.Equals(state.Local, local);

    /// <summary>Objects that carry data to a backend.</summary>
    private static bool IsMadeOfData(ITypeSymbol type) =>
        type.Is("System.Linq", "IQueryable`1") || type.Is("System.Collections.Generic", "IEnumerable`1") ||
        type.Is("System.Net.Http", "HttpRequestMessage") || type.Is("System.Text", "StringBuilder");

    private static ITypeSymbol? TypeOf(ISymbol symbol) => symbol switch
    {
        IParameterSymbol parameter => parameter.Type,
        ILocalSymbol local => local.Type,
        IFieldSymbol field => field.Type,
        IPropertySymbol property => property.Type,
        _ => null,
    };
}

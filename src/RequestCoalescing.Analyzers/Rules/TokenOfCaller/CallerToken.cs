using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.TokenOfCaller;

/// <summary>Tells the tokens of one caller from those that live longer, such as the token of the application.</summary>
internal sealed class CallerToken(CoalescedCall call)
{
    /// <summary>Whether an operation of the work reads a token that ends with one caller.</summary>
    public bool IsReadBy(IOperation operation) =>
        operation.Type.IsCancellationToken() && !operation.IsWritten() && !operation.IsNamed() && operation switch
        {
            IParameterReferenceOperation or ILocalReferenceOperation =>
                (call.Work.Captures(operation.Variable()!) && !IsSetByWork(operation.Variable()!) && BelongsToCaller(operation)) || IsStateOfCaller(operation),
            IPropertyReferenceOperation property =>
                IsOfRequest(property.Property) || (IsTokenOfSource(property) && property.Instance?.Variable() is { } source && call.Work.Captures(source)) || IsStateOfCaller(operation),
            IFieldReferenceOperation => IsStateOfCaller(operation),
            _ => false,
        };

    private bool IsSetByWork(ISymbol variable) => call.Work.Body!.Descendants().Any(operation =>
        SymbolEqualityComparer.Default.Equals(operation.Variable(), variable) && operation.IsWritten());

    private bool BelongsToCaller(IOperation value, int depth = 0) => value.WithoutConversions() switch
    {
        IParameterReferenceOperation { Parameter: var parameter } => !IsOfService(parameter) && !parameter.IsOfPrimaryConstructor(),
        ILocalReferenceOperation { Local: var local } when depth < 8 => call.Invocation.ValuesOf(local).Any(origin => BelongsToCaller(origin, depth + 1)),
        IPropertyReferenceOperation property => IsOfRequest(property.Property) || (IsTokenOfSource(property) && property.Instance is ILocalReferenceOperation),
        _ => false,
    };

    /// <summary>Whether an operation reads the caller's token out of the state that the call passes on.</summary>
    private bool IsStateOfCaller(IOperation operation)
    {
        if (call.State is not { } state || call.Work.Method?.Parameters.FirstOrDefault() is not { } parameter) return false;
        state = state.WithoutConversions();
        return operation switch
        {
            IParameterReferenceOperation whole => Same(whole.Parameter, parameter) && BelongsToCaller(state),
            IFieldReferenceOperation { Field: { ContainingType.IsTupleType: true } field, Instance: IParameterReferenceOperation whole } =>
                Same(whole.Parameter, parameter) && state is ITupleOperation tuple && ElementOf(tuple, field) is { } element && BelongsToCaller(element),
            _ => false,
        };
    }

    private static IOperation? ElementOf(ITupleOperation tuple, IFieldSymbol field)
    {
        var position = field.ContainingType.TupleElements.IndexOf(field, 0, SymbolEqualityComparer.Default);
        return position >= 0 && position < tuple.Elements.Length ? tuple.Elements[position] : null;
    }

    /// <summary>The token of a background service fires when the application stops, for all callers at once.</summary>
    private static bool IsOfService(IParameterSymbol parameter) => parameter.ContainingSymbol is IMethodSymbol { IsOverride: true } method &&
        method.ContainingType.DerivesFrom("Microsoft.Extensions.Hosting", "BackgroundService");

    private static bool IsOfRequest(IPropertySymbol property) => property.Name switch
    {
        "RequestAborted" => property.ContainingType.DerivesFrom("Microsoft.AspNetCore.Http", "HttpContext"),
        "ConnectionAborted" => property.ContainingType.DerivesFrom("Microsoft.AspNetCore.SignalR", "HubCallerContext"),
        "CancellationToken" => property.ContainingType.DerivesFrom("Grpc.Core", "ServerCallContext"),
        _ => false,
    };

    private static bool IsTokenOfSource(IPropertyReferenceOperation property) =>
        property.Property.Name == "Token" && property.Property.ContainingType.Is("System.Threading", "CancellationTokenSource");

    private static bool Same(ISymbol one, ISymbol other) => SymbolEqualityComparer.Default.Equals(one, other);
}

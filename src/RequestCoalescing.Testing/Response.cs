namespace RequestCoalescing.Testing;

/// <summary>What a flight does instead of its work: it throws the exception or, if there is none, returns the result.</summary>
internal sealed record Response(Exception? Exception, object? Result)
{
    public TResult Give<TResult>()
    {
        if (Exception is not null) throw Exception;
        if (Result is TResult result) return result;
        if (Result is null && default(TResult) is null) return default!;
        throw new InvalidOperationException(
            $"The fake was told to return {(Result is null ? "null" : $"a {Result.GetType()}")}, but the call asks for a {typeof(TResult)}.");
    }
}

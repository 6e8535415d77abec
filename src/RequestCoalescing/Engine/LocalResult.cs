namespace RequestCoalescing.Engine;

/// <summary>Whether a result type is an <see cref="ILocalResult"/>.</summary>
internal static class LocalResult<TResult>
{
    public static readonly bool Is = typeof(TResult).IsAssignableTo(typeof(ILocalResult));
}

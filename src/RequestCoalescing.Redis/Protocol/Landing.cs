namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// A result of the cluster, as the callers of one node share it. The node's flight outlasts the cluster's by the time that the news takes:
/// who joined it in between came after the landing, and must not be given what landed before they came.
/// </summary>
/// <remarks>A class, and so is the state that goes with it: a decorator that nested structs in each other could not be compiled natively.</remarks>
/// <param name="Value">The result.</param>
/// <param name="Until">When the result certainly was neither landed nor forgotten, as a timestamp of this node: whoever came later asks again.</param>
internal sealed record Landing<TResult>(TResult Value, long Until);

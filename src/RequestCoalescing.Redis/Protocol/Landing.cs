namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// A result of the cluster, as the callers of one node share it. The node's flight lasts longer than the cluster's, by the time that the message
/// takes. A caller that joined it in between came after the landing, and must not get a result from before its call.
/// </summary>
/// <remarks>This is a class, as is the state that goes with it. A decorator that nests structs in each other cannot be compiled natively.</remarks>
/// <param name="Value">The result.</param>
/// <param name="Until">The latest time at which the result had certainly not landed and was not forgotten, as a timestamp of this node. A caller that came later asks again.</param>
internal sealed record Landing<TResult>(TResult Value, long Until);

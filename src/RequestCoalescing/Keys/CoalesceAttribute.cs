namespace RequestCoalescing;

/// <summary>
/// Marks a <c>partial</c> method whose body the compiler generates: it coalesces the calls of the method of the same name with <c>Core</c> in it, such
/// as <c>GetPostCoreAsync</c> for <c>GetPostAsync</c>. The key is made of every parameter but the token, so that no parameter can be forgotten.
/// On methods of an interface, it generates a class that coalesces them and passes all other calls on: <c>CoalescedPosts</c> for <c>IPosts</c>.
/// </summary>
/// <remarks>
/// <para>The flight's token goes to the <c>Core</c> method, and the token of the caller lets that caller leave. Never mark a method that writes: the
/// second of two coalesced writes does not happen.</para>
/// <para>Without <see cref="Engine"/>, each object has an engine of its own for the method, because the work runs on the object of the first caller and
/// can read all that the object holds. Calls are therefore coalesced only among those that use the same object, usually a singleton. A static method has
/// a static engine.</para>
/// </remarks>
/// <example>
/// <code>
/// public sealed partial class PostService(Database database)
/// {
///     [Coalesce]
///     public partial Task&lt;Post> GetPostAsync(string id, int limit, CancellationToken cancellationToken);
///
///     private Task&lt;Post> GetPostCoreAsync(string id, int limit, CancellationToken flight) => database.LoadPostAsync(id, limit, flight);
/// }
/// </code>
/// </example>
[AttributeUsage(AttributeTargets.Method)]
public sealed class CoalesceAttribute : Attribute
{
    /// <summary>
    /// The name of a field, a property or a parameter of the primary constructor: the engine to use, in place of one that is generated. Either its keys
    /// are strings, or they are a generated key (<see cref="CoalescingKeyAttribute"/>) whose parts have the names and types of the method's parameters.
    /// Objects that share an engine must give the same result for the same key: the work runs on the object of the first caller. Default null.
    /// </summary>
    public string? Engine { get; set; }

    /// <summary>
    /// The name at the beginning of the text of the key. Default null: the full name of the method. Letters, digits and <c>. - _ : /</c> are allowed. It
    /// has no effect if <see cref="Engine"/> has keys of another type than string.
    /// </summary>
    public string? Name { get; set; }
}

namespace RequestCoalescing;

/// <summary>
/// Says that a method changes something that others can see: it stores, sends or deletes. The second of two coalesced calls of such a method
/// does not happen. Rule RC004 warns if the work of a coalesced call calls a method with this attribute. The attribute also holds for overrides and
/// for implementations of an interface's method.
/// </summary>
/// <example>
/// <code>
/// public interface IOrders
/// {
///     Task&lt;Order> LoadAsync(string id, CancellationToken cancellationToken);
///
///     [SideEffects]
///     Task&lt;Order> PlaceAsync(Order order, CancellationToken cancellationToken);
/// }
/// </code>
/// </example>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SideEffectsAttribute : Attribute;

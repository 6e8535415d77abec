using System.Collections;
using System.Collections.Concurrent;
using System.Collections.Specialized;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Numerics;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace RequestCoalescing.Verification;

/// <summary>How results of a type are compared.</summary>
internal enum ResultKind
{
    /// <summary>By <c>Equals</c>. Both answers are certain.</summary>
    Value,

    /// <summary>Element by element.</summary>
    Sequence,

    /// <summary>As the same elements in any order.</summary>
    Bag,

    /// <summary>As a collection whose order may or may not matter.</summary>
    Collection,

    /// <summary>Key by key.</summary>
    Dictionary,

    /// <summary>Item by item.</summary>
    Tuple,

    /// <summary>Field by field.</summary>
    Members,

    /// <summary>By <c>Equals</c>, but only a yes is certain. A no may only mean that they are two objects.</summary>
    Opaque,
}

/// <summary>How results of a type are compared, and by which fields. Created once for each type.</summary>
internal sealed class ResultShape
{
    private static readonly ConditionalWeakTable<Type, ResultShape> s_shapes = [];

    private static readonly HashSet<Type> s_values =
    [
        typeof(Guid), typeof(DateTimeOffset), typeof(TimeSpan), typeof(DateOnly), typeof(TimeOnly), typeof(Half), typeof(Int128), typeof(UInt128), typeof(nint), typeof(nuint),
        typeof(Index), typeof(Range), typeof(System.Text.Rune), typeof(BigInteger), typeof(Complex), typeof(Uri), typeof(Version), typeof(IPAddress), typeof(IPEndPoint),
    ];

    private static readonly HashSet<Type> s_sequences =
    [
        typeof(Queue<>), typeof(Stack<>), typeof(LinkedList<>), typeof(ConcurrentQueue<>), typeof(ConcurrentStack<>), typeof(Queue), typeof(Stack), typeof(BitArray),
        typeof(IList<>), typeof(IReadOnlyList<>),
    ];

    private static readonly HashSet<Type> s_bags =
    [
        typeof(ISet<>), typeof(IReadOnlySet<>), typeof(IDictionary<,>), typeof(IReadOnlyDictionary<,>), typeof(ConcurrentBag<>), typeof(Dictionary<,>.KeyCollection), typeof(Dictionary<,>.ValueCollection),
    ];

    private ResultShape(Type type)
    {
        Kind = KindOf(type);
        var isCollection = Kind is ResultKind.Sequence or ResultKind.Bag or ResultKind.Collection or ResultKind.Dictionary;
        if (type.IsArray || !(isCollection || Kind == ResultKind.Members) || !RuntimeFeature.IsDynamicCodeSupported) return;

        var fields = FieldsOf(type, isCollection).ToLookup(IsVisible);
        Visible = [.. fields[true]];
        Settable = [.. Visible.Where(static field => PropertyOf(field) is not { } property || property.SetMethod is { IsPublic: true })];
        HasOverriddenProperties = Visible.Any(field => PropertyOf(field)?.GetMethod is { IsVirtual: true, IsFinal: false } getter && IsOverridden(getter, type));

        // If a collection stores its elements in fields of its own, comparing the elements has compared these fields too.
        var keepsElements = isCollection && TypeEqualities.BasesOf(type).First(IsFrameworks) is var basis && (basis == typeof(object) || basis == typeof(ValueType));
        Hidden = [.. fields[false].Where(field => !keepsElements || IsValue(field.FieldType))];
    }

    public ResultKind Kind { get; }

    /// <summary>Fields whose values are public: public fields, and the fields of public auto-properties.</summary>
    public FieldInfo[] Visible { get; } = [];

    /// <summary>Other fields. Callers may never see a difference in them, for example in a lock or a cached value.</summary>
    public FieldInfo[] Hidden { get; } = [];

    /// <summary>Whether reading or writing an auto-property of the type runs other code, because it is overridden.</summary>
    public bool HasOverriddenProperties { get; }

    /// <summary>The visible fields that callers can set.</summary>
    public HashSet<FieldInfo> Settable { get; } = [];

    public static ResultShape Of(Type type) => s_shapes.GetValue(type, static type => new ResultShape(type));

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "If an unused interface was trimmed away, its type is opaque.")]
    private static ResultKind KindOf(Type type)
    {
        if (IsValue(type)) return ResultKind.Value;
        var isFrameworks = IsFrameworks(type);
        if (!isFrameworks && RuntimeFeature.IsDynamicCodeSupported && HasWrittenEquality(type)) return ResultKind.Value;
        if (typeof(IDictionary).IsAssignableFrom(type)) return ResultKind.Dictionary;
        if (typeof(ITuple).IsAssignableFrom(type)) return ResultKind.Tuple;
        if (typeof(NameObjectCollectionBase).IsAssignableFrom(type)) return typeof(NameValueCollection).IsAssignableFrom(type) ? ResultKind.Collection : ResultKind.Opaque; // these enumerate their keys only

        HashSet<Type> faces = [.. TypeEqualities.BasesOf(type).Concat(type.GetInterfaces()).Select(face => face.IsGenericType ? face.GetGenericTypeDefinition() : face)];
        if (faces.Overlaps(s_bags)) return ResultKind.Bag;
        if (faces.Overlaps(s_sequences) || faces.Contains(typeof(IList))) return ResultKind.Sequence;
        if (faces.Contains(typeof(ICollection)) || faces.Contains(typeof(ICollection<>)) || faces.Contains(typeof(IReadOnlyCollection<>))) return ResultKind.Collection;

        if (isFrameworks) return type.IsGenericType && type.GetGenericTypeDefinition() == typeof(KeyValuePair<,>) && RuntimeFeature.IsDynamicCodeSupported ? ResultKind.Members : ResultKind.Opaque;

        // An enumerable that is not a collection may allow only one enumeration.
        return typeof(IEnumerable).IsAssignableFrom(type) || typeof(Delegate).IsAssignableFrom(type) || !RuntimeFeature.IsDynamicCodeSupported
            ? ResultKind.Opaque
            : ResultKind.Members;
    }

    private static bool IsValue(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type.IsEnum || Type.GetTypeCode(type) != TypeCode.Object || s_values.Contains(type);
    }

    private static bool IsFrameworks(Type type)
    {
        var assembly = type.Assembly.GetName().Name ?? "";
        return assembly is "mscorlib" or "netstandard" || assembly.StartsWith("System.", StringComparison.Ordinal) || assembly.StartsWith("Microsoft.", StringComparison.Ordinal);
    }

    // Generated equality does not count: it compares a field that holds a list by reference.
    private static bool HasWrittenEquality(Type type) => TypeEqualities.Of(type, out var author) == TypeEquality.Written && !IsFrameworks(author);

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "The trimmer removes only fields that no code reads or writes.")]
    private static IEnumerable<FieldInfo> FieldsOf(Type type, bool isCollection) =>
        TypeEqualities.BasesOf(type).TakeWhile(level => !isCollection || !IsFrameworks(level)).SelectMany(level => level.GetFields(TypeEqualities.Declared));

    private static bool IsVisible(FieldInfo field)
    {
        if (field.IsPublic) return true;
        if (field.DeclaringType is { IsGenericType: true } type && type.GetGenericTypeDefinition() == typeof(KeyValuePair<,>)) return true;
        if (PropertyOf(field)?.GetMethod is not { IsPublic: true } getter) return false;
        return !field.Name.EndsWith("k__BackingField", StringComparison.Ordinal) || getter.IsDefined(typeof(CompilerGeneratedAttribute)); // otherwise the getter may fill the field when it is called
    }

    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "If its property was trimmed away, a field counts as hidden, and a difference in it is reported as uncertain.")]
    private static PropertyInfo? PropertyOf(FieldInfo field)
    {
        var name = field.Name;
        var property = name.StartsWith('<') ? name[1..Math.Max(1, name.IndexOf('>'))] : name.EndsWith('@') ? name[..^1] : ""; // the names that C# and F# generate
        return property.Length == 0 ? null : field.DeclaringType?.GetProperty(property, TypeEqualities.Declared);
    }

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "An override that was trimmed away is not called.")]
    private static bool IsOverridden(MethodInfo getter, Type type)
    {
        var overrides = TypeEqualities.BasesOf(type).TakeWhile(level => level != getter.DeclaringType).Select(level => level.GetMethod(getter.Name, TypeEqualities.Declared, []));
        return overrides.Any(method => method?.GetBaseDefinition() == getter.GetBaseDefinition());
    }
}

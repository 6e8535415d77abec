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
    /// <summary>Its <c>Equals</c> says it, either way.</summary>
    Value,

    /// <summary>Element by element.</summary>
    Sequence,

    /// <summary>As the same elements in any order.</summary>
    Bag,

    /// <summary>A collection that does not say whether its order means anything.</summary>
    Collection,

    /// <summary>Key by key.</summary>
    Dictionary,

    /// <summary>Item by item.</summary>
    Tuple,

    /// <summary>Field by field.</summary>
    Members,

    /// <summary>Nobody knows: where its <c>Equals</c> says no, that may mean no more than that it is another object.</summary>
    Opaque,
}

/// <summary>What is known of a type of results. Made once a type.</summary>
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

        // A collection that keeps its elements itself has been compared by them, whatever it keeps them in.
        var keepsElements = isCollection && TypeEqualities.BasesOf(type).First(IsFrameworks) is var basis && (basis == typeof(object) || basis == typeof(ValueType));
        Hidden = [.. fields[false].Where(field => !keepsElements || IsValue(field.FieldType))];
    }

    public ResultKind Kind { get; }

    /// <summary>Fields whose values everybody can see: public ones, and those behind the public properties that are nothing but a field.</summary>
    public FieldInfo[] Visible { get; } = [];

    /// <summary>Other fields: a difference in them may be one that nobody ever sees (a lock, what is cached).</summary>
    public FieldInfo[] Hidden { get; } = [];

    public static ResultShape Of(Type type) => s_shapes.GetValue(type, static type => new ResultShape(type));

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "An interface that was trimmed away, as nobody uses it, leaves its type opaque.")]
    private static ResultKind KindOf(Type type)
    {
        if (IsValue(type)) return ResultKind.Value;
        var isFrameworks = IsFrameworks(type);
        if (!isFrameworks && RuntimeFeature.IsDynamicCodeSupported && HasWrittenEquality(type)) return ResultKind.Value;
        if (typeof(IDictionary).IsAssignableFrom(type)) return ResultKind.Dictionary;
        if (typeof(ITuple).IsAssignableFrom(type)) return ResultKind.Tuple;
        if (typeof(NameObjectCollectionBase).IsAssignableFrom(type)) return typeof(NameValueCollection).IsAssignableFrom(type) ? ResultKind.Collection : ResultKind.Opaque; // they enumerate their keys

        HashSet<Type> faces = [.. TypeEqualities.BasesOf(type).Concat(type.GetInterfaces()).Select(face => face.IsGenericType ? face.GetGenericTypeDefinition() : face)];
        if (faces.Overlaps(s_bags)) return ResultKind.Bag;
        if (faces.Overlaps(s_sequences) || faces.Contains(typeof(IList))) return ResultKind.Sequence;
        if (faces.Contains(typeof(ICollection)) || faces.Contains(typeof(ICollection<>)) || faces.Contains(typeof(IReadOnlyCollection<>))) return ResultKind.Collection;

        if (isFrameworks) return type.IsGenericType && type.GetGenericTypeDefinition() == typeof(KeyValuePair<,>) && RuntimeFeature.IsDynamicCodeSupported ? ResultKind.Members : ResultKind.Opaque;

        // What is no collection may be there to be enumerated once.
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

    // What the compiler writes compares by reference where a field is a list; that is no answer.
    private static bool HasWrittenEquality(Type type) => TypeEqualities.Of(type, out var author) == TypeEquality.Written && !IsFrameworks(author);

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "A field that the trimmer removes is one that no code reads or writes.")]
    private static IEnumerable<FieldInfo> FieldsOf(Type type, bool isCollection) =>
        TypeEqualities.BasesOf(type).TakeWhile(level => !isCollection || !IsFrameworks(level)).SelectMany(level => level.GetFields(TypeEqualities.Declared));

    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "A field whose property was trimmed away counts as hidden: then nobody can tell, and that is what is said.")]
    private static bool IsVisible(FieldInfo field)
    {
        var name = field.Name;
        if (field.IsPublic) return true;
        if (field.DeclaringType is { IsGenericType: true } type && type.GetGenericTypeDefinition() == typeof(KeyValuePair<,>)) return true;
        var property = name.StartsWith('<') ? name[1..Math.Max(1, name.IndexOf('>'))] : name.EndsWith('@') ? name[..^1] : null; // C#'s and F#'s
        if (property is not { Length: > 0 } || field.DeclaringType?.GetProperty(property, TypeEqualities.Declared)?.GetMethod is not { IsPublic: true } getter) return false;
        return !name.EndsWith("k__BackingField", StringComparison.Ordinal) || getter.IsDefined(typeof(CompilerGeneratedAttribute)); // else it may be filled when it is asked for
    }
}

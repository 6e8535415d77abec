namespace RequestCoalescing.Telemetry;

/// <summary>Names of types as C# writes them, with the names of the framework's types: <c>Int64</c>, <c>(String, Int32)</c>, <c>Range&lt;Int32&gt;</c>.</summary>
internal static class TypeName
{
    public static string Of(Type type)
    {
        if (!type.IsGenericType) return type.Name;
        var arguments = string.Join(", ", type.GetGenericArguments().Select(Of));
        return type.Name.StartsWith(nameof(ValueTuple), StringComparison.Ordinal) ? $"({arguments})" : $"{type.Name.Split('`')[0]}<{arguments}>";
    }
}

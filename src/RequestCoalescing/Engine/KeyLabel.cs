namespace RequestCoalescing.Engine;

/// <summary>A key as messages may show it. It is put into words when somebody reads it: most exceptions are never read.</summary>
internal sealed class KeyLabel(object key, Func<object, string> describe)
{
    private string? _text;

    public override string ToString() => _text ??= describe(key);
}

namespace RequestCoalescing.Engine;

/// <summary>A key as messages may show it. The text is made when it is first read, because most exceptions are never read.</summary>
internal sealed class KeyLabel(object key, Func<object, string> describe)
{
    private string? _text;

    public override string ToString() => _text ??= describe(key);
}

using System.Text;

namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>Parts of a key as one text. With its length, no part can look like two.</summary>
internal sealed class KeyText(string first)
{
    private readonly StringBuilder _text = new(first);

    public void Append(string? part) => _text.Append('\n').Append(part?.Length ?? -1).Append(':').Append(part);

    /// <summary>Ends a list of any length.</summary>
    public void EndPart() => _text.Append("\n;");

    public override string ToString() => _text.ToString();
}

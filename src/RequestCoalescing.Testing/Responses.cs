namespace RequestCoalescing.Testing;

/// <summary>What happens in place of the next runs of a key's work. The owner's lock guards it.</summary>
internal sealed class Responses
{
    public Queue<Response> Next { get; } = new();

    public Response? All { get; set; }

    /// <summary>How many of the next flights are led by a caller that is cancelled.</summary>
    public int CancelledLeaders { get; set; }
}

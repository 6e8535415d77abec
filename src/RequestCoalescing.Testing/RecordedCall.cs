namespace RequestCoalescing.Testing;

/// <summary>The task of a call, whatever its result.</summary>
internal abstract class RecordedCall
{
    public abstract bool IsCompleted { get; }

    public abstract bool IsCompletedSuccessfully { get; }
}

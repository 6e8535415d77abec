namespace RequestCoalescing.Testing;

/// <summary>What a caller has got from its call.</summary>
public enum FakeCallStatus
{
    /// <summary>The caller still waits, or has not awaited the call.</summary>
    InFlight,

    /// <summary>The caller got a result.</summary>
    Succeeded,

    /// <summary>The caller got an exception that is not an <see cref="OperationCanceledException"/>.</summary>
    Failed,

    /// <summary>The caller got an <see cref="OperationCanceledException"/>.</summary>
    Cancelled,
}

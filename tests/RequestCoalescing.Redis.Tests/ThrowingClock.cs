namespace RequestCoalescing.Redis.Tests;

/// <summary>The machine's clock. It fails when a test says so, and counts how often the heartbeat reads it.</summary>
internal sealed class ThrowingClock : TimeProvider
{
    private int _untilFailure;
    private int _heartbeatReadings;
    private int _heartbeatFailures;

    /// <summary>Whether each reading on the thread of the heartbeat fails.</summary>
    public bool FailsHeartbeat { get; set; }

    /// <summary>The number of readings on the thread of the heartbeat.</summary>
    public int HeartbeatReadings => Volatile.Read(ref _heartbeatReadings);

    /// <summary>The number of readings that have failed on the thread of the heartbeat.</summary>
    public int HeartbeatFailures => Volatile.Read(ref _heartbeatFailures);

    private static bool IsHeartbeat => Thread.CurrentThread.Name == "RequestCoalescing heartbeat";

    /// <summary>Lets one reading fail, on any other thread.</summary>
    /// <param name="reading">The reading that fails: 1 for the next one.</param>
    public void FailAt(int reading) => Volatile.Write(ref _untilFailure, reading);

    public override long GetTimestamp()
    {
        if (IsHeartbeat) Interlocked.Increment(ref _heartbeatReadings);
        if (IsHeartbeat && FailsHeartbeat)
        {
            Interlocked.Increment(ref _heartbeatFailures);
            throw new InvalidDataException("The clock has failed.");
        }

        if (!IsHeartbeat && Volatile.Read(ref _untilFailure) > 0 && Interlocked.Decrement(ref _untilFailure) == 0) throw new InvalidDataException("The clock has failed.");
        return base.GetTimestamp();
    }
}

using System.Diagnostics.CodeAnalysis;
using RequestCoalescing.Engine;

namespace RequestCoalescing.Streaming;

/// <summary>The streams of a flight and of the flights that its subscribers elect after it, one after the other. They share a buffer.</summary>
internal sealed class StreamLineage<T>
{
    private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile SharedStream<T>? _current;

    /// <summary>The stream that has begun last. Null before the first one.</summary>
    public SharedStream<T>? Current => _current;

    /// <summary>Completes when the first stream begins.</summary>
    public Task Begun => _begun.Task;

    public static StreamLineage<T> Of(IStreamFlight flight) => (StreamLineage<T>)flight.GetStreamLineage(static () => new StreamLineage<T>());

    /// <summary>Begins a stream.</summary>
    /// <param name="flight">The flight as its work sees it.</param>
    /// <param name="airborne">The engine's own flight. Null if it is not known.</param>
    /// <param name="shape">The shape of the buffer, if this is the first stream.</param>
    /// <param name="maxIdle">See <see cref="StreamOptions.MaxIdle"/>.</param>
    /// <param name="stream">The stream.</param>
    /// <returns>False if the stream before has had items, or goes on.</returns>
    public bool TryBegin(FlightContext flight, IStreamFlight? airborne, FanOutShape shape, TimeSpan maxIdle, [NotNullWhen(true)] out SharedStream<T>? stream)
    {
        var before = _current;
        var buffer = before is null ? new FanOut<T>(shape) : before.TakeVacantBuffer();
        stream = buffer is null ? null : new SharedStream<T>(flight, airborne, buffer, maxIdle);
        if (stream is null || Interlocked.CompareExchange(ref _current, stream, before) != before) return false;
        _begun.TrySetResult();
        return true;
    }
}

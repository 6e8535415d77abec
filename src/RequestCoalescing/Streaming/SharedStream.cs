using System.Runtime.ExceptionServices;
using RequestCoalescing.Engine;

namespace RequestCoalescing.Streaming;

/// <summary>What one flight streams: its buffer, and the run of its source.</summary>
/// <param name="flight">The flight as its work sees it.</param>
/// <param name="airborne">The engine's own flight. Null if a decorator hides it, and it has not been found.</param>
/// <param name="buffer">The buffer.</param>
/// <param name="maxIdle">See <see cref="StreamOptions.MaxIdle"/>.</param>
internal sealed class SharedStream<T>(FlightContext flight, IStreamFlight? airborne, FanOut<T> buffer, TimeSpan maxIdle)
{
    private FanOut<T>? _vacant;
    private Exception? _error;
    private ITimer? _idleTimer;
    private long _lastAt;
    private volatile bool _isAwaitingReaders;

    public FanOut<T> Buffer { get; } = buffer;

    /// <summary>Whether callers that come now would join the flight.</summary>
    public bool IsCurrent => airborne?.IsJoinable ?? flight.IsCurrent;

    /// <summary>
    /// Returns the buffer for another source, if this source failed before its first item, and was not cancelled by the flight. The subscribers may elect another
    /// leader then, or a decorator may run the work again.
    /// </summary>
    public FanOut<T>? TakeVacantBuffer() => Interlocked.Exchange(ref _vacant, null);

    /// <summary>The work of the flight runs again: fails with the error of the first run.</summary>
    public void RefuseRepetition() =>
        ExceptionDispatchInfo.Throw(_error ?? new InvalidOperationException("A decorator has run the work of a stream again, after the stream had begun."));

    /// <summary>Lets later callers start a flight of their own.</summary>
    public void CloseToJoiners() => airborne?.CloseToJoiners();

    /// <summary>Runs the source to its end. This is the work of the flight.</summary>
    public async ValueTask<StreamEnd<T>> RunAsync(Func<FlightContext, ValueTask<StreamSource<T>>> open)
    {
        var mayRunAgain = false;
        try
        {
            var source = await open(flight).ConfigureAwait(false);
            await using (source.ConfigureAwait(false)) await PassOnAsync(source).ConfigureAwait(false);
            return new StreamEnd<T>(this);
        }
        catch (Exception exception)
        {
            _error = exception;
            var isCancelledByFlight = flight.CancellationToken.IsCancellationRequested;
            mayRunAgain = !isCancelledByFlight && Buffer.Received == 0;
            if (!isCancelledByFlight && !mayRunAgain && exception is OperationCanceledException cancellation) return new StreamEnd<T>(this, cancellation);
            throw;
        }
        finally
        {
            _idleTimer?.Dispose();
            if (mayRunAgain) _vacant = Buffer; // it stays open, because a caller that has joined the flight may not have its place yet
            else Buffer.End(_error);
        }
    }

    private async ValueTask PassOnAsync(StreamSource<T> source)
    {
        while (true)
        {
            var room = await GetRoomAsync().ConfigureAwait(false);
            var count = await source.ReadAsync(room, flight.CancellationToken).ConfigureAwait(false);
            flight.CancellationToken.ThrowIfCancellationRequested(); // the source may ignore it
            if (count == 0) return;
            OnItems();
            Buffer.Add(count);
        }
    }

    private async ValueTask<Memory<T>> GetRoomAsync()
    {
        var wasOpen = Buffer.IsOpen;
        while (true)
        {
            var room = Buffer.TryGetRoom(out var memory, out var wait);
            if (wasOpen && !Buffer.IsOpen)
            {
                wasOpen = false;
                CloseToJoiners();
            }

            if (room == Room.Given) return memory;
            _isAwaitingReaders = true;
            await wait.WaitAsync(flight.CancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (airborne is not null) Volatile.Write(ref _lastAt, airborne.Clock.GetTimestamp());
            _isAwaitingReaders = false; // also if the flight is cancelled, because the disposal of the source may take long
            flight.CancellationToken.ThrowIfCancellationRequested();
        }
    }

    private void OnItems()
    {
        if (airborne is null) return;
        Volatile.Write(ref _lastAt, airborne.Clock.GetTimestamp());
        if (Buffer.Received > 0) return;
        airborne.StartStreaming();
        _idleTimer = airborne.Clock.CreateDetachedTimer(static stream => ((SharedStream<T>)stream!).LookAtIdle(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _idleTimer.Change(maxIdle, Timeout.InfiniteTimeSpan); // not before it is known here, because its callback sets it again
    }

    private void LookAtIdle()
    {
        var idle = _isAwaitingReaders && !Buffer.IsEmpty ? TimeSpan.Zero : airborne!.Clock.GetElapsedTime(Volatile.Read(ref _lastAt));
        if (idle >= maxIdle) airborne!.ExpireIdle(maxIdle);
        else _idleTimer!.Change(TimeSpan.FromMilliseconds(Math.Max(1, Math.Ceiling((maxIdle - idle).TotalMilliseconds))), Timeout.InfiniteTimeSpan);
    }
}

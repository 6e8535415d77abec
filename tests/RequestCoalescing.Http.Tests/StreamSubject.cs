using Microsoft.Extensions.Time.Testing;
using RequestCoalescing.Http.Streams;

namespace RequestCoalescing.Http.Tests;

/// <summary>A shared body that does the steps of a random sequence. After each step it waits until nothing moves, and checks what the readers have seen.</summary>
internal sealed class StreamSubject
{
    private const int MaxBuffered = 256 * 1024;
    private const int ReadAhead = MaxBuffered / 4;
    private const int Segment = 32 * 1024;

    private static readonly TimeSpan s_settling = TimeSpan.FromSeconds(5); // a failing sequence is run many times

    private readonly BufferBudget _budget = new(long.MaxValue);
    private readonly ScriptedStream _origin = new();
    private readonly List<Reader> _readers = [];
    private readonly Action<StreamEvent> _note;
    private readonly SharedBody _body;
    private readonly Task _filling;
    private readonly Task _closing;
    private int _toCome;
    private long _written;
    private long _furthest; // that any reader has come
    private bool _originHasEnded;
    private bool _originHasFailed;
    private bool _isAbandoned; // all that were expected had come, and the last one has left

    public StreamSubject(int expected, Action<StreamEvent> note)
    {
        (_toCome, _note) = (expected, note);
        _body = new SharedBody(_budget, MaxBuffered, TimeSpan.FromHours(1), expected, new FakeTimeProvider());
        _closing = _body.CloseAsync();
        _filling = _body.FillAsync(_origin);
        Settle();
    }

    public void Do(StreamStep step)
    {
        switch (step.Kind)
        {
            case StreamStepKind.Write when !_originHasEnded:
                _written += step.Bytes;
                _origin.Add(step.Bytes);
                break;
            case StreamStepKind.End or StreamStepKind.Fail when !_originHasEnded:
                (_originHasEnded, _originHasFailed) = (true, step.Kind == StreamStepKind.Fail);
                _origin.End(_originHasFailed ? new IOException("broken") : null);
                break;
            case StreamStepKind.JoinExpected when _toCome > 0:
                Join(isExpected: true);
                break;
            case StreamStepKind.JoinLate:
                Join(isExpected: false);
                break;
            case StreamStepKind.Decline when _toCome > 0:
                _toCome--;
                _body.Decline();
                break;
            case StreamStepKind.Read when step.Reader < _readers.Count:
                Read(_readers[step.Reader], step.Bytes);
                break;
            case StreamStepKind.Leave when step.Reader < _readers.Count:
                Leave(_readers[step.Reader]);
                break;
        }

        Settle();
    }

    /// <summary>All that are expected decline, and all that are there read to the end, or leave if there is none. Then nothing stays behind.</summary>
    public void Finish()
    {
        while (_toCome > 0) Do(new StreamStep(StreamStepKind.Decline));
        for (var i = 0; i < _readers.Count; i++) Do(new StreamStep(_originHasEnded ? StreamStepKind.Read : StreamStepKind.Leave, i, int.MaxValue));
        Assert.DoesNotContain(_readers, static reader => reader.IsThere);
        Await(() => _filling.IsCompletedSuccessfully && _closing.IsCompletedSuccessfully, "the body is closed");
        Assert.False(_body.TryJoin(isExpected: false, out _));
        Assert.Equal(0, _budget.Taken);
    }

    private static void Await(Func<bool> condition, string description) =>
        Assert.True(SpinWait.SpinUntil(condition, s_settling), $"Waited in vain until {description}.");

    private void Join(bool isExpected)
    {
        var isWhole = _origin.State.Given <= ReadAhead && !_isAbandoned && (_toCome > 0 || !_filling.IsCompleted);
        var isOver = _isAbandoned || _closing.IsCompleted;
        if (isExpected) _toCome--;
        var hasJoined = _body.TryJoin(isExpected, out var reader);
        if (isWhole) Assert.True(hasJoined, "The beginning is in memory, and a reader could not join.");
        if (isOver) Assert.False(hasJoined, "A reader has joined a body that is over.");
        if (reader is not null) _readers.Add(new Reader(reader));
        else _note(StreamEvent.Refused);
    }

    private void Read(Reader reader, int bytes)
    {
        for (var end = reader.Position + bytes; reader.IsThere && reader.Reading is null && reader.Position < end;)
        {
            reader.Buffer = new byte[(int)Math.Min(end - reader.Position, Segment + 1)];
            reader.Reading = reader.Body.ReadAsync(reader.Buffer, default).AsTask();
            Settle();
        }
    }

    private void Leave(Reader reader)
    {
        reader.Body.Dispose();
        reader.IsThere = false;
        if (reader.Reading is not { } reading) return;
        _note(StreamEvent.LeftWithinARead);
        Await(() => reading.IsCompleted, "the read of one that has left ends");
        Assert.IsType<ObjectDisposedException>(reading.Exception?.InnerException);
        reader.Reading = null;
    }

    private void Settle()
    {
        Await(HasSettled, "nothing moves");
        if (_filling.IsCompleted) Assert.True(_body.HasArrived);
        else if (_origin.State.IsAwaited) Assert.False(_body.HasArrived);
        Assert.InRange(_origin.State.Given, 0, _furthest + ReadAhead + Segment);
        if (_origin.State.Given < _written && !_filling.IsCompleted) _note(StreamEvent.OriginWaited);
        if (_isAbandoned || _toCome > 0 || _readers.Any(static reader => reader.IsThere)) return;
        _isAbandoned = true;
        _note(StreamEvent.AllHaveLeft);
        Await(() => _filling.IsCompleted && _closing.IsCompleted, "a body without readers is closed");
    }

    // The reads wait for the origin. The origin waits for bytes or for a reader, or is over.
    private bool HasSettled()
    {
        foreach (var reader in _readers) Observe(reader);
        var (given, isAwaited) = _origin.State;
        var fastest = _readers.Where(static reader => reader.IsThere).Select(static reader => reader.Position).DefaultIfEmpty().Max();
        var isOver = _filling.IsCompleted;
        return (isOver ? _toCome > 0 || _closing.IsCompleted : isAwaited || given - fastest >= ReadAhead)
            && _readers.All(reader => reader.Reading is null || (reader.Position == given && !isOver));
    }

    private void Observe(Reader reader)
    {
        if (reader.Reading is not { IsCompleted: true } reading) return;
        reader.Reading = null;
        var given = _origin.State.Given;
        if (reading.IsCompletedSuccessfully && reading.Result is var count and > 0)
        {
            Assert.InRange(reader.Position + count, 1, given);
            for (var i = 0; i < count; i++) Assert.True(reader.Buffer[i] == ScriptedStream.ByteAt(reader.Position + i), "A reader has got a wrong byte.");
            reader.Position += count;
            _furthest = Math.Max(_furthest, reader.Position);
            return;
        }

        reader.IsThere = false;
        switch (reading.Exception?.InnerException)
        {
            case SharedBodyLagException:
                Assert.InRange(given + Segment - reader.Position, MaxBuffered + 1, long.MaxValue);
                _note(StreamEvent.CutOff);
                break;
            case var error and (null or HttpIOException):
                Assert.Equal((_written, true, error is not null), (reader.Position, _originHasEnded, _originHasFailed));
                Assert.True(_body.HasArrived);
                _note(error is null ? StreamEvent.ReadToTheEnd : StreamEvent.ReadToTheFailure);
                break;
            case var error:
                Assert.Fail($"A reader has got {error}.");
                break;
        }
    }

    private sealed class Reader(BodyReader body)
    {
        public BodyReader Body { get; } = body;

        public bool IsThere { get; set; } = true;

        public long Position { get; set; }

        public byte[] Buffer { get; set; } = [];

        public Task<int>? Reading { get; set; }
    }
}

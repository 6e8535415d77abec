namespace RequestCoalescing.Http.Streams;

/// <content>The side of the origin.</content>
internal sealed partial class SharedBody
{
    /// <summary>Reads the body from its origin until its end, an error, or until the last subscriber has left.</summary>
    public async Task FillAsync(Stream origin)
    {
        try
        {
            while (true)
            {
                var room = await GetRoomAsync().ConfigureAwait(false);
                _stop.CancelAfter(_maxIdle);
                var count = await origin.ReadAsync(room.Bytes.AsMemory(room.Length), _stop.Token).ConfigureAwait(false);
                _stop.CancelAfter(Timeout.InfiniteTimeSpan);
                if (count == 0) break;
                Add(room, count);
            }

            End(error: null);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested && !_isAborted)
        {
            End(new TimeoutException($"The origin has sent nothing for {_maxIdle}."));
        }
        catch (Exception error)
        {
            End(error);
        }
    }

    // Returns the part that the next bytes go to.
    private async ValueTask<Segment> GetRoomAsync()
    {
        long? fullSince = null;
        while (true)
        {
            _stop.Token.ThrowIfCancellationRequested();
            Task wait;
            var patience = _maxIdle;
            lock (_gate)
            {
                if (_received - FastestPosition() >= _readAhead)
                {
                    (wait, fullSince) = ((_demand ??= New()).Task, null);
                }
                else
                {
                    if (_tail is { } tail && tail.Length < tail.Bytes.Length) return tail;
                    CutOff(_received + OtherSegments - _maxBuffered);
                    var size = _tail is null ? FirstSegment : OtherSegments;
                    if (_budget.Take(size) is not { } freed) return AddSegment(size);
                    CutOff(FastestPosition() - _readAhead); // before this body waits for others, it gives up what only laggards need
                    if (_budget.Take(size) is null) return AddSegment(size);
                    wait = freed;
                    fullSince ??= _clock.GetTimestamp();
                    patience -= _clock.GetElapsedTime(fullSince.Value);
                    if (patience < TimeSpan.Zero) patience = TimeSpan.Zero;
                }
            }

            await wait.WaitAsync(patience, _clock, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (wait.IsCompleted) continue;
            _stop.Token.ThrowIfCancellationRequested();
            if (fullSince is not null) throw new IOException($"The bodies of other responses have filled the buffer for {_maxIdle}.");
            lock (_gate)
            {
                if (_readers.Count == 0) throw new TimeoutException($"No subscriber has read the response for {_maxIdle}."); // those that were expected have not come
            }
        }
    }

    private long FastestPosition()
    {
        var fastest = 0L;
        foreach (var reader in _readers) fastest = Math.Max(fastest, reader.Position);
        return fastest;
    }

    private Segment AddSegment(int size)
    {
        var added = new Segment(size);
        if (_tail is not null) return _tail = _tail.Next = added;
        foreach (var reader in _readers) Move(reader, added);
        return _head = _tail = added;
    }

    private void Add(Segment room, int count)
    {
        TaskCompletionSource? news;
        lock (_gate)
        {
            room.Length += count;
            _received += count;
            if (_received > _readAhead && _joined >= _expected) _isOpen = false;
            Trim();
            (news, _news) = (_news, null);
        }

        news?.SetResult();
    }

    private void End(Exception? error)
    {
        TaskCompletionSource? news;
        lock (_gate)
        {
            (_error, _hasEnded) = (error, true);
            FreeIfUnused();
            (news, _news) = (_news, null);
        }

        news?.SetResult();
        _end.TrySetResult();
    }
}

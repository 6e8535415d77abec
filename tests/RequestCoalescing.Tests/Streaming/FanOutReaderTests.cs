using RequestCoalescing.Streaming;

namespace RequestCoalescing.Tests.Streaming;

/// <summary>The readers of a buffer, step by step: their waits, their end, and how they are cut off.</summary>
public sealed class FanOutReaderTests
{
    private static readonly FanOutShape s_shape = new() { MaxBuffered = 8, ReadAhead = 4, FirstSegment = 2, OtherSegments = 2 };

    [Fact]
    public void A_reader_is_cut_off_only_if_its_next_item_must_go()
    {
        var buffer = new FanOut<int>(s_shape);
        Assert.True(buffer.TryJoin(out var fast));
        Assert.True(buffer.TryJoin(out var slow));
        Assert.True(buffer.TryJoin(out var slower));
        for (var item = 0; item < 8; item++)
        {
            Assert.Equal(1, buffer.Fill(1));
            Assert.Equal([item], fast.Take(1));
        }

        Assert.Equal([0, 1], slow.Take(2));
        Assert.Equal([0], slower.Take(1));
        Assert.True(buffer.IsOpen);
        Assert.False(slower.IsCutOff);
        Assert.Equal(1, buffer.Fill(1));

        Assert.False(buffer.IsOpen);
        Assert.Equal((false, true), (slow.IsCutOff, slower.IsCutOff));
        Assert.Equal([2, 3, 4, 5, 6, 7, 8], slow.Take(7));
        Assert.False(slower.TryRead(out _));
        Assert.False(buffer.TryJoin(out _));
    }

    [Fact]
    public void A_reader_that_is_cut_off_within_a_copy_has_copied_the_right_bytes()
    {
        var buffer = new FanOut<byte>(s_shape);
        Assert.True(buffer.TryJoin(out var reader));
        Assert.True(buffer.TryJoin(out var fast));
        buffer.Fill(2);
        Assert.True(buffer.TryBeginCopy(reader, out var segment, out var count));
        var read = new byte[2];
        for (var item = 0; item < 8; item++)
        {
            fast.Read(read);
            buffer.Fill(1);
        }

        Assert.True(reader.IsCutOff);
        Assert.Equal([0, 1], segment.Items.Take(count));
        buffer.EndCopy(reader, count);
        Assert.Equal(0, reader.Read(read));
    }

    [Fact]
    public async Task A_reader_that_leaves_while_it_waits_is_not_kept_until_the_next_item()
    {
        var buffer = new FanOut<int>(s_shape);
        Assert.True(buffer.TryJoin(out var earlier));
        Assert.True(buffer.TryJoin(out var later));
        var wait = earlier.WaitAsync().AsTask();
        var left = WaitAndLeave();
        var next = later.WaitAsync().AsTask();

        await Patience.UntilAsync(
            () =>
            {
                GC.Collect();
                return !left.IsAlive;
            },
            "nothing holds the reader");

        buffer.Fill(1);
        await Task.WhenAll(wait, next).SoonAsync();

        WeakReference WaitAndLeave()
        {
            Assert.True(buffer.TryJoin(out var reader));
            Assert.True(buffer.TryJoin(out var other));
            _ = (reader.WaitAsync().AsTask(), other.WaitAsync().AsTask());
            reader.Leave();
            other.Leave();
            return new WeakReference(reader);
        }
    }

    [Fact]
    public async Task A_wait_ends_with_an_item_with_the_end_and_with_a_poke()
    {
        var buffer = new FanOut<int>(s_shape);
        Assert.True(buffer.TryJoin(out var reader));
        var wait = reader.WaitAsync().AsTask();
        Assert.False(wait.IsCompleted);
        buffer.Fill(1);
        await wait.SoonAsync();
        Assert.True(reader.WaitAsync().IsCompletedSuccessfully); // the item is there
        Assert.True(buffer.HasNext(reader));
        Assert.Equal([0], reader.Take(1));
        Assert.False(buffer.HasNext(reader));

        wait = reader.WaitAsync().AsTask();
        Assert.False(wait.IsCompleted);
        reader.Wake();
        await wait.SoonAsync();
        wait = reader.WaitAsync().AsTask();
        Assert.False(wait.IsCompleted); // to be woken is not to be poked
        Assert.True(reader.WaitAsync(new CancellationToken(true)).IsCompletedSuccessfully);

        Assert.True(buffer.TryJoin(out var other));
        other.Take(1);
        wait = other.WaitAsync().AsTask();
        other.Poke();
        await wait.SoonAsync();
        Assert.True(other.WaitAsync().IsCompletedSuccessfully);

        Assert.True(buffer.TryJoin(out var last));
        last.Take(1);
        wait = last.WaitAsync().AsTask();
        Assert.False(buffer.IsAtEnd(last, out _));
        buffer.End(new IOException());
        await wait.SoonAsync();
        Assert.True(last.WaitAsync().IsCompletedSuccessfully);
        Assert.True(buffer.IsAtEnd(last, out var error));
        Assert.IsType<IOException>(error);
    }

    [Fact]
    public async Task A_reader_that_leaves_or_is_cut_off_waits_no_more()
    {
        var buffer = new FanOut<int>(s_shape);
        Assert.True(buffer.TryJoin(out var leaving));
        var wait = leaving.WaitAsync().AsTask();
        leaving.Leave();
        await wait.SoonAsync();
        Assert.True(leaving.HasLeft);
        Assert.True(leaving.WaitAsync().IsCompletedSuccessfully);
        Assert.False(leaving.TryRead(out _));

        Assert.True(buffer.TryJoin(out var slow));
        Assert.True(buffer.TryJoin(out var fast));
        for (var item = 0; item < 20; item++)
        {
            buffer.Fill(1);
            fast.Take(1);
        }

        Assert.True(slow.WaitAsync().IsCompletedSuccessfully);
        Assert.False(buffer.IsAtEnd(slow, out _));
    }

    [Fact]
    public void An_item_in_the_next_part_is_there_before_the_reader_has_moved()
    {
        var buffer = new FanOut<int>(s_shape);
        Assert.True(buffer.TryJoin(out var reader));
        buffer.Fill(2);
        Assert.Equal([0, 1], reader.Take(3));

        buffer.Fill(1); // between a look and the wait after it

        Assert.True(buffer.HasNext(reader));
        Assert.True(reader.WaitAsync().IsCompletedSuccessfully);
        Assert.Equal([2], reader.Take(1));
    }

    [Fact]
    public void A_reader_is_at_the_end_when_it_has_read_everything()
    {
        var buffer = new FanOut<int>(s_shape);
        Assert.True(buffer.TryJoin(out var reader));
        buffer.Fill(2);
        buffer.TryGetRoom(out _, out _); // makes a part that stays empty
        reader.Take(1);
        buffer.End();

        Assert.False(buffer.IsAtEnd(reader, out _));
        reader.Take(1);
        Assert.True(buffer.IsAtEnd(reader, out _));
        Assert.False(reader.TryRead(out _));
        Assert.False(buffer.HasNext(reader));
        Assert.True(buffer.IsAtEnd(reader, out var error));
        Assert.Null(error);
        Assert.True(buffer.TryJoin(out var late)); // a subscriber of the flight may not have its place yet
        Assert.Equal([0, 1], late.Take(2));
    }
}

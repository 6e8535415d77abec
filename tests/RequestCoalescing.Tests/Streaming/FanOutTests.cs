using System.Buffers;
using RequestCoalescing.Streaming;

namespace RequestCoalescing.Tests.Streaming;

/// <summary>The buffer between a source and its readers, step by step.</summary>
public sealed class FanOutTests
{
    private static readonly FanOutShape s_shape = new() { MaxBuffered = 8, ReadAhead = 4, FirstSegment = 2, OtherSegments = 2 };
    private static readonly FanOutShape s_slowest = s_shape with { WaitsForSlowest = true };

    private readonly Budget _budget = new();

    [Fact]
    public void The_source_runs_ahead_of_the_fastest_reader_by_the_read_ahead_and_no_further()
    {
        var buffer = new FanOut<int>(s_shape);
        Assert.Equal(4, Fill(buffer));
        Assert.True(buffer.TryJoin(out var reader));
        Assert.Equal(0, Fill(buffer));

        Assert.Equal([0, 1, 2], Take(reader, 3));

        Assert.Equal(3, Fill(buffer));
        Assert.Equal(7, buffer.Received);
    }

    [Fact]
    public async Task The_source_is_woken_when_a_reader_has_come_far_enough()
    {
        var buffer = new FanOut<int>(s_shape);
        Assert.True(buffer.TryJoin(out var reader));
        Fill(buffer);
        Assert.Equal(Room.AwaitsReaders, buffer.TryGetRoom(out _, out var wait));
        Assert.Equal([0, 1], Take(reader, 2));
        Assert.False(wait.IsCompleted); // it reads without the gate until it needs the next part

        Assert.Equal([2], Take(reader, 1));
        await wait.SoonAsync();
        Assert.Equal(Room.Given, buffer.TryGetRoom(out _, out _));
    }

    [Fact]
    public async Task The_source_is_woken_when_a_reader_waits_and_when_one_leaves()
    {
        var buffer = new FanOut<int>(s_shape with { ReadAhead = 2 });
        Assert.True(buffer.TryJoin(out var reader));
        Fill(buffer);
        Assert.Equal(Room.AwaitsReaders, buffer.TryGetRoom(out _, out var wait));
        Assert.Equal([0, 1], Take(reader, 2));
        var news = reader.WaitAsync().AsTask();
        await wait.SoonAsync();
        Fill(buffer);
        await news.SoonAsync();
        Assert.Equal(Room.AwaitsReaders, buffer.TryGetRoom(out _, out wait));

        reader.Leave();

        await wait.SoonAsync();
    }

    [Fact]
    public async Task The_source_is_woken_when_bytes_have_been_copied_and_when_the_buffer_closes()
    {
        var buffer = new FanOut<byte>(s_shape);
        Assert.True(buffer.TryJoin(out var reader));
        Fill(buffer);
        Assert.Equal(Room.AwaitsReaders, buffer.TryGetRoom(out _, out var wait));
        Assert.Equal(1, reader.Read(new byte[1]));
        await wait.SoonAsync();
        Fill(buffer);
        Assert.Equal(Room.AwaitsReaders, buffer.TryGetRoom(out _, out wait));

        buffer.Close();

        await wait.SoonAsync();
    }

    [Fact]
    public async Task A_source_that_waits_for_the_slowest_reader_fills_the_buffer_and_no_more()
    {
        var buffer = new FanOut<byte>(s_slowest with { MaxBuffered = 7, FirstSegment = 4, OtherSegments = 4 });
        Assert.Equal(7, Fill(buffer));
        Assert.True(buffer.TryJoin(out var slow));
        Assert.True(buffer.TryJoin(out var fast));
        var read = new byte[16];
        Assert.Equal(4, fast.Read(read));
        Assert.Equal(3, fast.Read(read));
        Assert.Equal(Room.AwaitsReaders, buffer.TryGetRoom(out _, out var wait));
        Assert.False(buffer.IsOpen); // a reader that came now would hold up the others

        Assert.Equal(3, slow.Read(read.AsSpan(0, 3)));
        Assert.False(wait.IsCompleted);
        Assert.Equal(1, slow.Read(read));

        await wait.SoonAsync();
        Assert.Equal(4, Fill(buffer));
        Assert.False(slow.IsCutOff);
    }

    [Fact]
    public void A_reader_is_cut_off_only_if_its_next_item_must_go()
    {
        var buffer = new FanOut<int>(s_shape);
        Assert.True(buffer.TryJoin(out var fast));
        Assert.True(buffer.TryJoin(out var slow));
        Assert.True(buffer.TryJoin(out var slower));
        for (var item = 0; item < 8; item++)
        {
            Assert.Equal(1, Fill(buffer, 1));
            Assert.Equal([item], Take(fast, 1));
        }

        Assert.Equal([0, 1], Take(slow, 2));
        Assert.Equal([0], Take(slower, 1));
        Assert.True(buffer.IsOpen);
        Assert.False(slower.IsCutOff);
        Assert.Equal(1, Fill(buffer, 1));

        Assert.False(buffer.IsOpen);
        Assert.Equal((false, true), (slow.IsCutOff, slower.IsCutOff));
        Assert.Equal([2, 3, 4, 5, 6, 7, 8], Take(slow, 7));
        Assert.False(slower.TryRead(out _));
        Assert.False(buffer.TryJoin(out _));
    }

    [Fact]
    public void What_all_have_passed_is_freed_once_nobody_can_join()
    {
        var buffer = new FanOut<int>(s_shape with { ReadAhead = 8 }, _budget);
        Assert.True(buffer.TryJoin(out var one));
        Assert.True(buffer.TryJoin(out var two));
        Fill(buffer);
        Assert.Equal(8, _budget.Taken);
        Take(one, 5);
        Take(two, 3);
        Assert.Equal(8, _budget.Taken); // a reader may still join

        buffer.Close();

        Assert.Equal(6, _budget.Taken);
        Take(two, 2);
        Assert.Equal(4, _budget.Taken);
        one.Leave();
        two.Leave();
        two.Leave();
        Assert.Equal(2, _budget.Taken); // the source may still write
        buffer.End();
        Assert.Equal(0, _budget.Taken);
        buffer.Close();
        Assert.Equal(0, _budget.Taken);
    }

    [Fact]
    public void The_last_reader_that_leaves_an_ended_buffer_frees_it()
    {
        var buffer = new FanOut<int>(s_shape, _budget);
        Assert.True(buffer.TryJoin(out var reader));
        Fill(buffer);
        buffer.End();
        buffer.Close();
        Assert.Equal(4, _budget.Taken);

        reader.Leave();

        Assert.Equal(0, _budget.Taken);
    }

    [Fact]
    public void A_buffer_closes_if_it_is_empty_and_not_otherwise()
    {
        var buffer = new FanOut<int>(s_shape, _budget);
        Fill(buffer);
        Assert.True(buffer.TryJoin(out var reader));
        Assert.Equal((false, false, true), (buffer.CloseIfEmpty(), buffer.IsEmpty, buffer.IsOpen));
        reader.Leave();
        buffer.End();

        Assert.True(buffer.CloseIfEmpty());

        Assert.Equal((true, false, 0), (buffer.IsEmpty, buffer.IsOpen, _budget.Taken));
    }

    [Fact]
    public void A_buffer_that_needs_the_memory_of_others_first_gives_up_what_only_laggards_need()
    {
        var budget = new Budget(most: 8);
        var buffer = new FanOut<int>(s_shape with { MaxBuffered = 100 }, budget);
        Assert.True(buffer.TryJoin(out var fast));
        Assert.True(buffer.TryJoin(out var slow));
        for (var item = 0; item < 8; item++)
        {
            Assert.Equal(1, Fill(buffer, 1));
            Assert.Equal([item], Take(fast, 1));
        }

        Assert.Equal(1, Fill(buffer, 1));
        Assert.Equal((true, false), (slow.IsCutOff, fast.IsCutOff));
        Assert.Equal(4, budget.Taken); // the parts of the fast reader and of the source
    }

    [Fact]
    public async Task A_buffer_waits_for_memory_that_others_have()
    {
        var budget = new Budget(most: 4);
        Assert.Null(budget.Take(3));
        var buffer = new FanOut<int>(s_shape, budget);
        Assert.Equal(Room.AwaitsBudget, buffer.TryGetRoom(out _, out var wait));

        budget.GiveBack(3);

        await wait.SoonAsync();
        Assert.Equal(Room.Given, buffer.TryGetRoom(out _, out _));
    }

    [Fact]
    public void An_array_that_a_reader_copies_from_is_not_used_again()
    {
        var buffer = new FanOut<byte>(s_shape with { FirstSegment = 1000, MaxBuffered = 1000, ReadAhead = 1000, OtherSegments = 1000 });
        Assert.True(buffer.TryJoin(out var copying));
        Assert.Equal(1000, Fill(buffer));
        Assert.True(buffer.TryBeginCopy(copying, out var segment, out var count));
        Assert.Equal(1000, count);

        copying.Leave();
        buffer.Close();
        buffer.End();

        var rented = ArrayPool<byte>.Shared.Rent(1000);
        Assert.NotSame(segment.Items, rented);
        buffer.EndCopy(copying, count);
        ArrayPool<byte>.Shared.Return(rented);
    }

    [Fact]
    public void An_array_that_nobody_needs_goes_back_to_its_pool()
    {
        var buffer = new FanOut<byte>(s_shape with { FirstSegment = 1000, MaxBuffered = 1000, ReadAhead = 1000, OtherSegments = 1000 });
        Assert.True(buffer.TryJoin(out var reader));
        Fill(buffer);
        var items = reader.Segment!.Items;
        Assert.Equal(1000, reader.Read(new byte[1000]));
        reader.Leave();
        buffer.Close();
        buffer.End();

        var rented = ArrayPool<byte>.Shared.Rent(1000);

        Assert.Same(items, rented);
        ArrayPool<byte>.Shared.Return(rented);
    }

    [Fact]
    public void A_reader_that_is_cut_off_within_a_copy_has_copied_the_right_bytes()
    {
        var buffer = new FanOut<byte>(s_shape);
        Assert.True(buffer.TryJoin(out var reader));
        Assert.True(buffer.TryJoin(out var fast));
        Fill(buffer, 2);
        Assert.True(buffer.TryBeginCopy(reader, out var segment, out var count));
        var read = new byte[2];
        for (var item = 0; item < 8; item++)
        {
            fast.Read(read);
            Fill(buffer, 1);
        }

        Assert.True(reader.IsCutOff);
        Assert.Equal([0, 1], segment.Items.Take(count));
        buffer.EndCopy(reader, count);
        Assert.Equal(0, reader.Read(read));
    }

    [Fact]
    public async Task A_wait_ends_with_an_item_with_the_end_and_with_a_poke()
    {
        var buffer = new FanOut<int>(s_shape);
        Assert.True(buffer.TryJoin(out var reader));
        var wait = reader.WaitAsync().AsTask();
        Assert.False(wait.IsCompleted);
        Fill(buffer, 1);
        await wait.SoonAsync();
        Assert.True(reader.WaitAsync().IsCompletedSuccessfully); // the item is there
        Assert.True(buffer.HasNext(reader));
        Assert.Equal([0], Take(reader, 1));
        Assert.False(buffer.HasNext(reader));

        wait = reader.WaitAsync().AsTask();
        Assert.False(wait.IsCompleted);
        reader.Wake();
        await wait.SoonAsync();
        wait = reader.WaitAsync().AsTask();
        Assert.False(wait.IsCompleted); // to be woken is not to be poked
        Assert.True(reader.WaitAsync(new CancellationToken(true)).IsCompletedSuccessfully);

        Assert.True(buffer.TryJoin(out var other));
        Take(other, 1);
        wait = other.WaitAsync().AsTask();
        other.Poke();
        await wait.SoonAsync();
        Assert.True(other.WaitAsync().IsCompletedSuccessfully);

        Assert.True(buffer.TryJoin(out var last));
        Take(last, 1);
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
        Assert.True(leaving.WaitAsync().IsCompletedSuccessfully);
        Assert.False(leaving.TryRead(out _));

        Assert.True(buffer.TryJoin(out var slow));
        Assert.True(buffer.TryJoin(out var fast));
        for (var item = 0; item < 20; item++)
        {
            Fill(buffer, 1);
            Take(fast, 1);
        }

        Assert.True(slow.WaitAsync().IsCompletedSuccessfully);
        Assert.False(buffer.IsAtEnd(slow, out _));
    }

    [Fact]
    public void A_reader_is_at_the_end_when_it_has_read_everything()
    {
        var buffer = new FanOut<int>(s_shape);
        Assert.True(buffer.TryJoin(out var reader));
        Fill(buffer, 2);
        buffer.TryGetRoom(out _, out _); // makes a part that stays empty
        Take(reader, 1);
        buffer.End();

        Assert.False(buffer.IsAtEnd(reader, out _));
        Take(reader, 1);
        Assert.True(buffer.IsAtEnd(reader, out _));
        Assert.False(reader.TryRead(out _));
        Assert.False(buffer.HasNext(reader));
        Assert.True(buffer.IsAtEnd(reader, out var error));
        Assert.Null(error);
        Assert.True(buffer.TryJoin(out var late)); // a subscriber of the flight may not have its place yet
        Assert.Equal([0, 1], Take(late, 2));
    }

    private static int Fill<T>(FanOut<T> buffer, int most = int.MaxValue)
    {
        var filled = 0;
        while (filled < most && buffer.TryGetRoom(out var room, out _) == Room.Given)
        {
            var count = Math.Min(most - filled, room.Length);
            for (var item = 0; item < count; item++) room.Span[item] = (T)Convert.ChangeType((buffer.Received + item) % 256, typeof(T), null);
            if (typeof(T) != typeof(byte)) count = 1;
            buffer.Add(count);
            filled += count;
        }

        return filled;
    }

    private static List<T> Take<T>(FanOutReader<T> reader, int count)
    {
        var taken = new List<T>();
        while (taken.Count < count && reader.TryRead(out var item)) taken.Add(item);
        return taken;
    }
}

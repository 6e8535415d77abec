using System.Buffers;
using RequestCoalescing.Streaming;

namespace RequestCoalescing.Tests.Streaming;

/// <summary>The buffer between a source and its readers, step by step: its room and its memory.</summary>
public sealed class FanOutTests
{
    private static readonly FanOutShape s_shape = new() { MaxBuffered = 8, ReadAhead = 4, FirstSegment = 2, OtherSegments = 2 };
    private static readonly FanOutShape s_slowest = s_shape with { WaitsForSlowest = true };

    private readonly Budget _budget = new();

    [Fact]
    public void The_source_runs_ahead_of_the_fastest_reader_by_the_read_ahead_and_no_further()
    {
        var buffer = new FanOut<int>(s_shape);
        Assert.Equal(4, buffer.Fill());
        Assert.True(buffer.TryJoin(out var reader));
        Assert.Equal(0, buffer.Fill());

        Assert.Equal([0, 1, 2], reader.Take(3));

        Assert.Equal(3, buffer.Fill());
        Assert.Equal(7, buffer.Received);
    }

    [Fact]
    public async Task The_source_is_woken_when_a_reader_has_come_far_enough()
    {
        var buffer = new FanOut<int>(s_shape);
        Assert.True(buffer.TryJoin(out var reader));
        buffer.Fill();
        Assert.Equal(Room.AwaitsReaders, buffer.TryGetRoom(out _, out var wait));
        Assert.Equal([0, 1], reader.Take(2));
        Assert.False(wait.IsCompleted); // it reads without the gate until it needs the next part

        Assert.Equal([2], reader.Take(1));
        await wait.SoonAsync();
        Assert.Equal(Room.Given, buffer.TryGetRoom(out _, out _));
    }

    [Fact]
    public async Task The_source_is_woken_when_a_reader_waits_and_when_one_leaves()
    {
        var buffer = new FanOut<int>(s_shape with { ReadAhead = 2 });
        Assert.True(buffer.TryJoin(out var reader));
        buffer.Fill();
        Assert.Equal(Room.AwaitsReaders, buffer.TryGetRoom(out _, out var wait));
        Assert.Equal([0, 1], reader.Take(2));
        var news = reader.WaitAsync().AsTask();
        await wait.SoonAsync();
        buffer.Fill();
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
        buffer.Fill();
        Assert.Equal(Room.AwaitsReaders, buffer.TryGetRoom(out _, out var wait));
        Assert.Equal(1, reader.Read(new byte[1]));
        await wait.SoonAsync();
        buffer.Fill();
        Assert.Equal(Room.AwaitsReaders, buffer.TryGetRoom(out _, out wait));

        buffer.Close();

        await wait.SoonAsync();
    }

    [Fact]
    public async Task A_source_that_waits_for_the_slowest_reader_fills_the_buffer_and_no_more()
    {
        var buffer = new FanOut<byte>(s_slowest with { MaxBuffered = 7, FirstSegment = 4, OtherSegments = 4 });
        Assert.Equal(7, buffer.Fill());
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
        Assert.Equal(4, buffer.Fill());
        Assert.False(slow.IsCutOff);
    }

    [Fact]
    public void What_all_have_passed_is_freed_once_nobody_can_join()
    {
        var buffer = new FanOut<int>(s_shape with { ReadAhead = 8 }, _budget);
        Assert.True(buffer.TryJoin(out var one));
        Assert.True(buffer.TryJoin(out var two));
        buffer.Fill();
        Assert.Equal(8, _budget.Taken);
        one.Take(5);
        two.Take(3);
        Assert.Equal(8, _budget.Taken); // a reader may still join

        buffer.Close();

        Assert.Equal(6, _budget.Taken);
        two.Take(2);
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
    public void Bytes_that_all_have_passed_are_freed_with_the_next_read()
    {
        var buffer = new FanOut<byte>(s_shape, _budget);
        Assert.True(buffer.TryJoin(out var reader));
        buffer.Close();
        var read = new byte[2];
        buffer.Fill(2);
        Assert.Equal(2, reader.Read(read));
        buffer.Fill(1);
        Assert.Equal(4, _budget.Taken);

        Assert.Equal(1, reader.Read(read));

        Assert.Equal(2, _budget.Taken);
    }

    [Fact]
    public void A_reader_that_keeps_up_never_holds_up_a_source_that_waits_for_the_slowest()
    {
        var buffer = new FanOut<int>(s_slowest);
        Assert.True(buffer.TryJoin(out var reader));
        for (var item = 0; item < 20; item++)
        {
            Assert.Equal(1, buffer.Fill(1));
            Assert.Equal([item], reader.Take(1));
        }
    }

    [Fact]
    public void A_reader_that_was_cut_off_holds_nothing()
    {
        var buffer = new FanOut<int>(s_shape, _budget);
        Assert.True(buffer.TryJoin(out var fast));
        Assert.True(buffer.TryJoin(out var slow));
        for (var item = 0; item < 20; item++)
        {
            buffer.Fill(1);
            fast.Take(1);
        }

        Assert.True(slow.IsCutOff);
        fast.Leave();
        Assert.True(buffer.IsEmpty);
        buffer.End();

        Assert.Equal(0, _budget.Taken);
    }

    [Fact]
    public void The_first_part_may_be_smaller_than_the_others()
    {
        var buffer = new FanOut<int>(s_shape with { FirstSegment = 1, OtherSegments = 3 }, _budget);

        buffer.Fill(1);
        Assert.Equal(1, _budget.Taken);
        buffer.Fill(1);
        Assert.Equal(4, _budget.Taken);
    }

    [Fact]
    public void The_last_reader_that_leaves_an_ended_buffer_frees_it()
    {
        var buffer = new FanOut<int>(s_shape, _budget);
        Assert.True(buffer.TryJoin(out var reader));
        buffer.Fill();
        buffer.End();
        buffer.Close();
        Assert.Equal(4, _budget.Taken);

        reader.Leave();

        Assert.Equal(0, _budget.Taken);
    }

    [Fact]
    public void A_buffer_that_closes_after_its_end_is_freed()
    {
        var buffer = new FanOut<int>(s_shape, _budget);
        buffer.Fill();
        Assert.True(buffer.TryJoin(out var reader));
        reader.Leave();
        buffer.End();
        Assert.Equal(4, _budget.Taken);

        buffer.Close();

        Assert.Equal(0, _budget.Taken);
    }

    [Fact]
    public void A_buffer_closes_if_it_is_empty_and_not_otherwise()
    {
        var buffer = new FanOut<int>(s_shape, _budget);
        buffer.Fill();
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
            Assert.Equal(1, buffer.Fill(1));
            Assert.Equal([item], fast.Take(1));
        }

        Assert.Equal(1, buffer.Fill(1));
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
        Assert.Equal(1000, buffer.Fill());
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
        buffer.Fill();
        var items = reader.Segment!.Items;
        Assert.Equal(1000, reader.Read(new byte[1000]));
        reader.Leave();
        buffer.Close();
        buffer.End();

        var rented = ArrayPool<byte>.Shared.Rent(1000);

        Assert.Same(items, rented);
        ArrayPool<byte>.Shared.Return(rented);
    }
}

using RequestCoalescing.Streaming;

namespace RequestCoalescing.Tests.Streaming;

/// <summary>The steps of a source and of a reader.</summary>
internal static class BufferSteps
{
    /// <summary>Fills the room that the buffer gives, with numbers.</summary>
    /// <returns>How many items there was room for.</returns>
    public static int Fill<T>(this FanOut<T> buffer, int most = int.MaxValue)
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

    /// <summary>Reads as many items, or those that are there.</summary>
    public static List<T> Take<T>(this FanOutReader<T> reader, int count)
    {
        var taken = new List<T>();
        while (taken.Count < count && reader.TryRead(out var item)) taken.Add(item);
        return taken;
    }
}

using System.Buffers;
using RequestCoalescing.Streaming;

namespace RequestCoalescing.Http.Streams;

/// <summary>
/// A body, as far as it is there when the headers have arrived. A short one often comes with them, and is whole. Then its subscribers need no buffer, and share an array. Of any other, this is the
/// stream that the buffer is filled from.
/// </summary>
/// <param name="origin">The body.</param>
internal sealed class BodyStart(Stream origin) : ReadOnlyStream
{
    private const int First = 4 * 1024; // the size of the array until so many bytes have come
    private const int Most = 16 * 1024;

    private readonly CancellationTokenSource _stop = new(); // for a read that begins before the buffer is there
    private byte[]? _bytes;
    private int _count;
    private int _given;
    private Task<int>? _pending;

    /// <summary>Reads without waiting.</summary>
    /// <returns>The body. Null if more may follow.</returns>
    public byte[]? TryReadWhole()
    {
        _bytes = ArrayPool<byte>.Shared.Rent(First);
        while (_count < Most)
        {
            if (_count == _bytes.Length) Grow();
            var read = ReadOriginAsync(_bytes.AsMemory(_count));
            if (!read.IsCompletedSuccessfully)
            {
                _pending = read.AsTask();
                return null;
            }

            var count = read.Result;
            if (count == 0)
            {
                var whole = _bytes.AsSpan(0, _count).ToArray();
                GiveBack();
                return whole;
            }

            _count += count;
        }

        return null;
    }

    /// <remarks>One read at a time.</remarks>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_bytes is null) return await origin.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        if (_given == _count && _pending is { } pending)
        {
            using (cancellationToken.UnsafeRegister(static stop => ((CancellationTokenSource)stop!).Cancel(), _stop))
            {
                _count += await pending.ConfigureAwait(false);
            }

            _pending = null;
        }

        var count = Math.Min(buffer.Length, _count - _given);
        _bytes.AsSpan(_given, count).CopyTo(buffer.Span);
        _given += count;
        if (_given == _count && _pending is null) GiveBack();
        return count;
    }

    /// <summary>Ends the read that has begun with the headers, if nothing has awaited it. Call it before the body is disposed of, which must not happen during a read.</summary>
    public async Task StopAsync()
    {
        if (_pending is not Task pending) return;
        await _stop.CancelAsync().ConfigureAwait(false);
        await pending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    // Some streams throw at once, and not when the read is awaited. This makes it an error of the body, which readers get after the bytes before it.
    private async ValueTask<int> ReadOriginAsync(Memory<byte> destination) => await origin.ReadAsync(destination, _stop.Token).ConfigureAwait(false);

    private void Grow()
    {
        var start = ArrayPool<byte>.Shared.Rent(Most);
        _bytes.AsSpan(0, _count).CopyTo(start);
        GiveBack();
        _bytes = start;
    }

    private void GiveBack()
    {
        ArrayPool<byte>.Shared.Return(_bytes!);
        _bytes = null;
    }
}

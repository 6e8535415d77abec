using System.Runtime.CompilerServices;
using RequestCoalescing.Streaming;

namespace RequestCoalescing;

/// <summary>Streams that many callers read: one run of the source, and each caller gets all items at its own pace.</summary>
public static class SingleflightStreamExtensions
{
    /// <summary>
    /// Reads the stream of the current flight of <paramref name="key"/> from its first item, or starts a flight with <paramref name="source"/>. The flight lasts
    /// from its first caller until the source has ended.
    /// </summary>
    /// <typeparam name="TKey">The type of the key.</typeparam>
    /// <typeparam name="T">The type of the items; the same for every caller of a key. All callers get the same objects, and must not change them.</typeparam>
    /// <param name="singleflight">The instance. Over Redis, each node has a flight of its own.</param>
    /// <param name="key">Names the stream. Callers with equal keys share it. A key cannot be that of a stream and of a result at the same time.</param>
    /// <param name="source">Starts the source. It runs only if this call starts a flight, and gets the flight's own token.</param>
    /// <param name="cancellationToken">Lets this caller leave. The others go on. When the last caller has left, the source is cancelled and disposed of.</param>
    /// <returns>
    /// The items. Nothing happens before the first one is asked for. Each enumeration is a caller of its own, which leaves when it is disposed of.
    /// </returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <remarks>
    /// <para>A caller can join while the flight is current and the buffer has the first item. A caller that comes later starts a new flight.</para>
    /// <para>The enumeration throws what <see cref="ISingleflight{TKey}.ExecuteAsync{TResult}(TKey, Func{CancellationToken, ValueTask{TResult}}, CancellationToken)"/> throws: rejections,
    /// deadlocks, and a <see cref="FlightTimeoutException"/> if the first item takes longer than <see cref="SingleflightOptions.MaxDuration"/> or the source is
    /// then silent for longer than <see cref="StreamOptions.MaxIdle"/>. It throws a <see cref="StreamLagException"/> in a caller that is too slow. An error
    /// of the source reaches each caller after the items before it.</para>
    /// </remarks>
    /// <example>
    /// <code>
    /// await foreach (var token in answers.ExecuteStreamAsync(prompt, flight => model.AnswerAsync(prompt, flight), cancellationToken))
    /// {
    ///     await response.WriteAsync(token, cancellationToken);
    /// }
    /// </code>
    /// </example>
    [OverloadResolutionPriority(1)]
    public static IAsyncEnumerable<T> ExecuteStreamAsync<TKey, T>(
        this ISingleflight<TKey> singleflight,
        TKey key,
        Func<CancellationToken, IAsyncEnumerable<T>> source,
        CancellationToken cancellationToken = default)
        where TKey : notnull =>
        ExecuteStreamAsync(singleflight, key, source, StreamOptions.Default, cancellationToken);

    /// <inheritdoc cref="ExecuteStreamAsync{TKey, T}(ISingleflight{TKey}, TKey, Func{CancellationToken, IAsyncEnumerable{T}}, CancellationToken)"/>
    /// <param name="singleflight">The instance. Over Redis, each node has a flight of its own.</param>
    /// <param name="key">Names the stream. Callers with equal keys share it. A key cannot be that of a stream and of a result at the same time.</param>
    /// <param name="source">Starts the source. It runs only if this call starts a flight, and gets the flight's own token.</param>
    /// <param name="options">The buffer, and what happens to slow readers. Copied at the call.</param>
    /// <param name="cancellationToken">Lets this caller leave. The others go on. When the last caller has left, the source is cancelled and disposed of.</param>
    [OverloadResolutionPriority(1)]
    public static IAsyncEnumerable<T> ExecuteStreamAsync<TKey, T>(
        this ISingleflight<TKey> singleflight,
        TKey key,
        Func<CancellationToken, IAsyncEnumerable<T>> source,
        StreamOptions options,
        CancellationToken cancellationToken = default)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(source);
        return ExecuteStreamAsync(singleflight, key, (FlightContext flight) => source(flight.CancellationToken), options, cancellationToken);
    }

    /// <inheritdoc cref="ExecuteStreamAsync{TKey, T}(ISingleflight{TKey}, TKey, Func{CancellationToken, IAsyncEnumerable{T}}, StreamOptions, CancellationToken)"/>
    /// <param name="singleflight">The instance. Over Redis, each node has a flight of its own.</param>
    /// <param name="key">Names the stream. Callers with equal keys share it. A key cannot be that of a stream and of a result at the same time.</param>
    /// <param name="source">Starts the source, and can inspect its flight. It runs only if this call starts a flight.</param>
    /// <param name="options">The buffer, and what happens to slow readers. Copied at the call. Null for the defaults.</param>
    /// <param name="cancellationToken">Lets this caller leave. The others go on. When the last caller has left, the source is cancelled and disposed of.</param>
    public static IAsyncEnumerable<T> ExecuteStreamAsync<TKey, T>(
        this ISingleflight<TKey> singleflight,
        TKey key,
        Func<FlightContext, IAsyncEnumerable<T>> source,
        StreamOptions? options = null,
        CancellationToken cancellationToken = default)
        where TKey : notnull
    {
        var checkedOptions = Check(singleflight, key, source, options);
        return new StreamEnumerable<TKey, T>(new StreamRequest<TKey, T>(singleflight, key, Open, checkedOptions.ShapeOfItems(), checkedOptions, cancellationToken));

        ValueTask<StreamSource<T>> Open(FlightContext flight)
        {
            var items = source(flight) ?? throw new InvalidOperationException("The source returned null. It must return a sequence.");
            return new(new EnumerableSource<T>(items.GetAsyncEnumerator(flight.CancellationToken)));
        }
    }

    /// <summary>
    /// Reads the bytes of the current flight of <paramref name="key"/> from the first one, or starts a flight with <paramref name="source"/>. For a
    /// <c>PipeReader</c>, pass its <c>AsStream()</c>, and read the result with <c>PipeReader.Create</c>.
    /// </summary>
    /// <typeparam name="TKey">The type of the key.</typeparam>
    /// <param name="singleflight">The instance. Over Redis, each node has a flight of its own.</param>
    /// <param name="key">Names the stream. Callers with equal keys share it. A key cannot be that of a stream and of a result at the same time.</param>
    /// <param name="source">Opens the source, which the flight disposes of. It runs only if this call starts a flight, and gets the flight's own token.</param>
    /// <param name="options">The buffer, and what happens to slow readers. Copied at the call. Null for the defaults.</param>
    /// <param name="cancellationToken">Lets this caller leave. The others go on. When the last caller has left, the source is cancelled and disposed of.</param>
    /// <returns>The bytes. The caller has joined, and leaves when it disposes of the stream. The stream is read asynchronously, and cannot seek.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> fired. The exception carries it.</exception>
    /// <remarks>
    /// Errors come as from <see cref="ExecuteStreamAsync{TKey, T}(ISingleflight{TKey}, TKey, Func{CancellationToken, IAsyncEnumerable{T}}, CancellationToken)"/>: those before the
    /// flight has started from this call, those of the source from the reads.
    /// </remarks>
    /// <example>
    /// <code>
    /// await using var export = await exports.ExecuteStreamAsync(month, flight => storage.OpenReadAsync(month, flight), cancellationToken: cancellationToken);
    /// await export.CopyToAsync(response.Body, cancellationToken);
    /// </code>
    /// </example>
    public static Task<Stream> ExecuteStreamAsync<TKey>(
        this ISingleflight<TKey> singleflight,
        TKey key,
        Func<CancellationToken, Task<Stream>> source,
        StreamOptions? options = null,
        CancellationToken cancellationToken = default)
        where TKey : notnull
    {
        var checkedOptions = Check(singleflight, key, source, options);
        return JoinAsync(new StreamRequest<TKey, byte>(singleflight, key, OpenAsync, checkedOptions.ShapeOfBytes(), checkedOptions, cancellationToken));

        async ValueTask<StreamSource<byte>> OpenAsync(FlightContext flight)
        {
            var opening = source(flight.CancellationToken) ?? throw new InvalidOperationException("The source returned null. It must return a task.");
            return new BytesSource(await opening.ConfigureAwait(false) ?? throw new InvalidOperationException("The source returned no stream."));
        }
    }

    private static async Task<Stream> JoinAsync<TKey>(StreamRequest<TKey, byte> request)
        where TKey : notnull
    {
        var reader = new StreamReader<TKey, byte>(request);
        try
        {
            await reader.JoinAsync().ConfigureAwait(false);
            return new ByteStream<TKey>(reader);
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    }

    private static StreamOptions Check(object? singleflight, object? key, Delegate? source, StreamOptions? options)
    {
        ArgumentNullException.ThrowIfNull(singleflight);
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(source);
        if (options is null || options == StreamOptions.Default) return StreamOptions.Default;
        options = options.Copy();
        options.Validate();
        return options;
    }
}

using Microsoft.Extensions.Logging;

namespace RequestCoalescing.Telemetry;

/// <summary>
/// A logger whose sinks may fail: that is no concern of flights and callers, and there is nobody to tell but who failed. An exception whose
/// message names keys does not get past it.
/// </summary>
internal sealed class SafeLogger(ILogger inner) : ILogger
{
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => inner.BeginScope(state);

    public bool IsEnabled(LogLevel logLevel)
    {
        try
        {
            return inner.IsEnabled(logLevel);
        }
        catch (Exception)
        {
            return false;
        }
    }

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        try
        {
            inner.Log(logLevel, eventId, state, NamesKeys(exception) ? null : exception, formatter);
        }
        catch (Exception)
        {
            // As said.
        }
    }

    // That of a deadlock does, wherever it is inside of another.
    private static bool NamesKeys(Exception? exception) => exception switch
    {
        FlightDeadlockException => true,
        AggregateException several => several.InnerExceptions.Any(NamesKeys),
        _ => exception?.InnerException is { } inner && NamesKeys(inner),
    };
}

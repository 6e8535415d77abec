using Microsoft.Extensions.Logging;

namespace RequestCoalescing.Telemetry;

/// <summary>
/// A logger whose sinks may throw without harm to flights and callers. It does not pass on an exception that carries keys, because a sink may
/// write all properties of an exception.
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
            inner.Log(logLevel, eventId, state, HasKeys(exception) ? null : exception, formatter);
        }
        catch (Exception)
        {
            // There is no other place to report the failure of a logger.
        }
    }

    private static bool HasKeys(Exception? exception) => exception switch
    {
        FlightDeadlockException => true,
        AggregateException several => several.InnerExceptions.Any(HasKeys),
        _ => exception?.InnerException is { } inner && HasKeys(inner),
    };
}

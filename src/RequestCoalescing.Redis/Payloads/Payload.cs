using System.Text.Json;
using RequestCoalescing.Redis.Telemetry;

namespace RequestCoalescing.Redis.Payloads;

/// <summary>Outcomes as bytes: a version, a kind, and the content of that kind.</summary>
internal sealed class Payload(RedisSingleflightOptions options, ClusterTelemetry telemetry)
{
    private const byte Version = 1;
    private const byte Value = 1;
    private const byte Error = 2;
    private const byte NotSent = 3;

    private readonly IFlightSerializer _serializer = options.Serializer ?? new JsonFlightSerializer();

    /// <summary>Says that the outcome is not sent: it is too large, or its type cannot be written.</summary>
    public static byte[] OfNotSent { get; } = [Version, NotSent];

    /// <summary>The bytes of a result. A result that cannot be written is not sent, and the other nodes run the work themselves.</summary>
    public byte[] Of<TResult>(TResult result)
    {
        try
        {
            return OfValue(result);
        }
        catch (Exception exception)
        {
            telemetry.CannotBeWritten(typeof(TResult), exception);
            return OfNotSent;
        }
    }

    /// <summary>The bytes of an error. An error that cannot be written is not sent.</summary>
    public byte[] Of(Exception error)
    {
        try
        {
            return OfError(error);
        }
        catch (Exception exception)
        {
            telemetry.CannotBeWritten(error.GetType(), exception);
            return OfNotSent;
        }
    }

    private byte[] OfValue<TResult>(TResult value)
    {
        var bytes = _serializer.Serialize(value);
        return bytes.Length > options.MaxPayloadBytes ? OfNotSent : [Version, Value, .. bytes];
    }

    private byte[] OfError(Exception exception)
    {
        var envelope = new ErrorEnvelope(exception.GetType().FullName ?? exception.GetType().Name, exception.Message, options.SendStackTraces ? exception.StackTrace : null);
        var bytes = JsonSerializer.SerializeToUtf8Bytes(envelope, PayloadJson.Default.ErrorEnvelope);
        return bytes.Length > options.MaxPayloadBytes ? OfNotSent : [Version, Error, .. bytes];
    }

    /// <summary>Reads an outcome.</summary>
    /// <returns>False if it was not sent, or cannot be read here: then the node runs the work itself.</returns>
    /// <exception cref="RemoteFlightException">The outcome is an error.</exception>
    public bool TryRead<TResult>(ReadOnlyMemory<byte> payload, out TResult value)
    {
        value = default!;
        if (payload.Length < 2 || payload.Span[0] != Version) return false; // from a node with another version
        switch (payload.Span[1])
        {
            case Value:
                try
                {
                    value = _serializer.Deserialize<TResult>(payload[2..]);
                    return true;
                }
                catch (Exception)
                {
                    return false; // from a node whose type has another shape
                }

            case Error when ReadError(payload[2..]) is { } envelope:
                throw new RemoteFlightException(envelope.Type, envelope.Message, envelope.StackTrace);

            default:
                return false;
        }
    }

    private static ErrorEnvelope? ReadError(ReadOnlyMemory<byte> json)
    {
        try
        {
            return JsonSerializer.Deserialize(json.Span, PayloadJson.Default.ErrorEnvelope);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

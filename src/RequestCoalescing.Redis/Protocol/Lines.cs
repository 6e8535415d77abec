using System.Net;
using RequestCoalescing.Redis.Telemetry;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>The heartbeat's own lines to the servers. A line is opened when the shared connection first has no answer in time, and kept as long as the thread.</summary>
internal sealed class Lines(IConnectionMultiplexer connection, TimeSpan timeout, ClusterTelemetry telemetry) : IDisposable
{
    private readonly Dictionary<EndPoint, Line> _lines = [];
    private ConfigurationOptions? _configuration;

    /// <summary>Sends commands that the shared connection had no answer for, and waits for the answers. It does not fail.</summary>
    /// <returns>False if a command could not be sent.</returns>
    public bool Send(Extension[] extensions)
    {
        var asked = new List<(Extension Extension, EndPoint Server, Line Line)>();
        foreach (var extension in extensions)
        {
            EndPoint? server = null;
            try
            {
                server = ServerOf(extension.Key);
                if (!_lines.TryGetValue(server, out var line)) _lines.Add(server, line = Connect(server));
                extension.Send(line);
                asked.Add((extension, server, line));
            }
            catch (Exception exception)
            {
                Fail(server, exception);
            }
        }

        foreach (var (extension, server, line) in asked)
        {
            try
            {
                extension.Hear(line); // in the order in which they were sent; a line that has failed fails again
            }
            catch (Exception exception)
            {
                Fail(server, exception);
            }
        }

        return asked.Count == extensions.Length;
    }

    public void Dispose()
    {
        foreach (var line in _lines.Values) line.Dispose();
    }

    // If there are several servers, the connection names none before it is established.
    private EndPoint ServerOf(RedisKey key) => connection.GetEndPoints() is [var only] ? only : connection.GetServer(key).EndPoint;

    private Line Connect(EndPoint server)
    {
        _configuration ??= ConfigurationOptions.Parse(connection.Configuration);
        return Line.Connect(_configuration, server, timeout);
    }

    private void Fail(EndPoint? server, Exception exception)
    {
        telemetry.LineFailed(exception);
        if (server is not null && _lines.Remove(server, out var line)) line.Dispose();
    }
}

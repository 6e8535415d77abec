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
        var asked = new List<(Extension Extension, Line Line)>();
        var unreachable = new HashSet<EndPoint>(); // such a server takes its time once, not for each command
        foreach (var extension in extensions)
        {
            EndPoint? server = null;
            Line? line = null;
            try
            {
                server = ServerOf(extension.Key);
                if (unreachable.Contains(server)) continue;
                if (!_lines.TryGetValue(server, out line)) _lines.Add(server, line = Connect(server));
                else if (!asked.Exists(other => other.Line == line)) line.Restart();
                extension.Send(line);
                asked.Add((extension, line));
            }
            catch (Exception exception)
            {
                if (server is not null) unreachable.Add(server);
                Fail(line, exception);
            }
        }

        foreach (var (extension, line) in asked)
        {
            try
            {
                extension.Hear(line); // in the order in which they were sent; a line that has failed fails again
            }
            catch (RedisCommandException refused)
            {
                telemetry.LineFailed(refused);
            }
            catch (Exception exception)
            {
                Fail(line, exception);
            }
        }

        return asked.Count == extensions.Length;
    }

    public void Dispose()
    {
        foreach (var line in _lines.Values) line.Dispose();
    }

    // The connection names only servers to which it is connected, so that it is asked last.
    private EndPoint ServerOf(RedisKey key)
    {
        if (connection.GetEndPoints() is [var only]) return only;
        var cluster = connection.GetServers().Select(static server => server.ClusterConfiguration).FirstOrDefault(static cluster => cluster is not null);
        return cluster?.GetBySlot(key)?.EndPoint ?? connection.GetServer(key, flags: Commands.Flags).EndPoint;
    }

    private Line Connect(EndPoint server)
    {
        _configuration ??= ConfigurationOptions.Parse(connection.Configuration);
        return Line.Connect(_configuration, server, timeout);
    }

    private void Fail(Line? line, Exception exception)
    {
        telemetry.LineFailed(exception);
        if (line is null) return;
        line.Dispose();
        foreach (var (server, _) in _lines.Where(other => other.Value == line)) _lines.Remove(server);
    }
}

using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// A connection to one server for one thread. It needs no other thread, whereas the shared connection needs the thread pool to send and to receive.
/// </summary>
/// <remarks>
/// It is created from the text of the shared connection's configuration. That text contains no certificate callbacks and no tunnels. A password with a
/// comma, or one that changes, does not reach the line. The line does not check whether a certificate was revoked, and the server must send its whole
/// chain. If the line cannot be opened, heartbeats have only the shared connection.
/// </remarks>
internal sealed class Line : IDisposable
{
    private readonly PolledStream _connection;
    private readonly Stream _stream; // the connection, or what encrypts it
    private readonly byte[] _buffer = new byte[4096];
    private int _start;
    private int _end;

    private Line(PolledStream connection, Stream stream) => (_connection, _stream) = (connection, stream);

    /// <param name="configuration">The configuration of the shared connection.</param>
    /// <param name="server">The server.</param>
    /// <param name="limit">The time for the connect and the first commands, and again for those after each <see cref="Restart"/>.</param>
    /// <exception cref="Exception">The server cannot be reached in time, or refuses.</exception>
    public static Line Connect(ConfigurationOptions configuration, EndPoint server, TimeSpan limit)
    {
        var connection = new PolledStream(server, limit);
        Stream stream = connection;
        try
        {
            if (configuration.Ssl)
            {
                var encrypted = new SslStream(stream);
                stream = encrypted;
                encrypted.AuthenticateAsClient(new SslClientAuthenticationOptions
                {
                    TargetHost = configuration.SslHost ?? (server as DnsEndPoint)?.Host ?? (server as IPEndPoint)?.Address.ToString() ?? "",
                    EnabledSslProtocols = configuration.SslProtocols ?? SslProtocols.None,
                    CertificateChainPolicy = new X509ChainPolicy { RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true }, // revocation lists and missing certificates come over the network, which may take longer than a lease
                });
            }

            var line = new Line(connection, stream);
            if (!string.IsNullOrEmpty(configuration.Password)) line.Ask(string.IsNullOrEmpty(configuration.User) ? ["AUTH", configuration.Password] : ["AUTH", configuration.User, configuration.Password]);
            if (configuration.DefaultDatabase is > 0 and var database) line.Ask("SELECT", database);
            return line;
        }
        catch (Exception)
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Grants the whole time for the commands that follow.</summary>
    public void Restart() => _connection.Restart();

    /// <summary>Sends a command.</summary>
    /// <exception cref="Exception">It cannot be sent in time. The line must not be used any more.</exception>
    public void Send(RedisValue[] command)
    {
        using var request = new MemoryStream();
        request.Write(Encoding.ASCII.GetBytes($"*{command.Length}\r\n"));
        foreach (var part in command)
        {
            var bytes = (byte[])part!;
            request.Write(Encoding.ASCII.GetBytes($"${bytes.Length}\r\n"));
            request.Write(bytes);
            request.Write("\r\n"u8);
        }

        _stream.Write(request.GetBuffer(), 0, (int)request.Length);
    }

    /// <summary>Waits for the next answer: a text, a number's digits, or null.</summary>
    /// <remarks>In RESP an answer is a line that begins with its kind. A text is its length, followed by as many bytes.</remarks>
    /// <exception cref="RedisCommandException">The server refuses the command. Later answers can still be heard.</exception>
    /// <exception cref="Exception">There is no answer in time. The line must not be used any more.</exception>
    public string? Hear()
    {
        var line = ReadLine();
        switch (line[0])
        {
            case '+' or ':':
                return line[1..];
            case '$':
                var length = int.Parse(line.AsSpan(1), CultureInfo.InvariantCulture);
                return length < 0 ? null : Read(length);
            case '-':
                throw new RedisCommandException($"The server refuses: {line[1..]}");
            default:
                throw new InvalidDataException($"The server's answer cannot be read: {line}");
        }
    }

    public void Dispose() => _stream.Dispose();

    private void Ask(params RedisValue[] command)
    {
        Send(command);
        Hear();
    }

    private string Read(int length)
    {
        var bytes = new byte[length + 2];
        for (var i = 0; i < bytes.Length; i++) bytes[i] = ReadByte();
        return Encoding.UTF8.GetString(bytes.AsSpan(0, length));
    }

    private string ReadLine()
    {
        var line = new StringBuilder();
        while (ReadByte() is var next and not (byte)'\r') line.Append((char)next);
        _ = ReadByte();
        return line.Length > 0 ? line.ToString() : throw new InvalidDataException("The server sent an empty answer.");
    }

    private byte ReadByte()
    {
        if (_start == _end)
        {
            (_start, _end) = (0, _stream.Read(_buffer));
            if (_end == 0) throw new EndOfStreamException();
        }

        return _buffer[_start++];
    }
}

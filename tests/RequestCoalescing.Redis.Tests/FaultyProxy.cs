using System.Net;
using System.Net.Sockets;
using System.Text;

namespace RequestCoalescing.Redis.Tests;

/// <summary>A proxy between a node and its server that can delay, cut and drop their traffic.</summary>
internal sealed class FaultyProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly int _server;
    private readonly HashSet<Wire> _wires = [];
    private readonly Task _accepting;
    private TaskCompletionSource _flows = Flowing();
    private TaskCompletionSource _messages = Flowing();
    private TaskCompletionSource _commands = Flowing();
    private int _isArmed;
    private int _held;

    public FaultyProxy(int server)
    {
        _server = server;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>The number of connections that <see cref="CutNextScript"/> has cut.</summary>
    public int Cuts { get; private set; }

    /// <summary>Cuts the connection that sends the next script, as soon as the server has answered. The script takes effect, but the node never gets the answer.</summary>
    public void CutNextScript() => Volatile.Write(ref _isArmed, 1);

    /// <summary>Cuts all connections.</summary>
    public void Cut() => Close(static wire => wire.Dispose());

    /// <summary>Cuts only the node's ends. Commands that it has sent still reach the server.</summary>
    public void CutNode() => Close(static wire => wire.Client.Dispose());

    /// <summary>Holds back the node's commands until <see cref="PassCommands"/>. The node still receives messages.</summary>
    public void HoldCommands() => Volatile.Write(ref _commands, new(TaskCreationOptions.RunContinuationsAsynchronously));

    /// <summary>Completes when the proxy holds a command back.</summary>
    public Task UntilHeldAsync() => Patience.UntilAsync(() => Volatile.Read(ref _held) > 0, "a command is held back");

    public void PassCommands() => Volatile.Read(ref _commands).TrySetResult();

    /// <summary>Holds back all traffic, in both directions, until <see cref="Resume"/>.</summary>
    public void Stall() => Volatile.Write(ref _flows, new(TaskCreationOptions.RunContinuationsAsynchronously));

    public void Resume() => Volatile.Read(ref _flows).TrySetResult();

    /// <summary>Holds back all messages to the node.</summary>
    public void Deafen() => Volatile.Write(ref _messages, new(TaskCreationOptions.RunContinuationsAsynchronously));

    /// <summary>Lets the node receive messages again, without those that it missed.</summary>
    public void Undeafen()
    {
        Close(static wire =>
        {
            if (wire.IsSubscribed) wire.Dispose();
        });
        CatchUp();
    }

    /// <summary>Lets the node receive messages again, with all that it missed.</summary>
    public void CatchUp() => Volatile.Read(ref _messages).TrySetResult();

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        Cut();
        Resume();
        PassCommands();
        Undeafen();
        await _accepting.WaitAsync(Patience.Limit).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static TaskCompletionSource Flowing()
    {
        var flowing = new TaskCompletionSource();
        flowing.SetResult();
        return flowing;
    }

    private void Close(Action<Wire> close)
    {
        Wire[] wires;
        lock (_wires) wires = [.. _wires];
        foreach (var wire in wires) close(wire);
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            var client = await _listener.AcceptTcpClientAsync();
            _ = PumpAsync(client);
        }
    }

    private async Task PumpAsync(TcpClient client)
    {
        using var wire = new Wire(client, new TcpClient("127.0.0.1", _server));
        lock (_wires) _wires.Add(wire);
        var isCutting = false;
        var requests = CopyAsync(wire.Client, wire.Server, async bytes =>
        {
            await Volatile.Read(ref _flows).Task;
            var text = Encoding.ASCII.GetString(bytes.Span);
            wire.IsSubscribed |= text.Contains("SUBSCRIBE", StringComparison.Ordinal);
            if (!wire.IsSubscribed && Volatile.Read(ref _commands).Task is { IsCompleted: false } held)
            {
                Interlocked.Increment(ref _held);
                await held;
            }

            isCutting |= text.Contains("EVAL", StringComparison.Ordinal) && Interlocked.Exchange(ref _isArmed, 0) == 1;
        });
        var replies = CopyAsync(wire.Server, wire.Client, async _ =>
        {
            await Volatile.Read(ref _flows).Task;
            if (wire.IsSubscribed) await Volatile.Read(ref _messages).Task;
            if (!isCutting) return;
            Cuts++;
            throw new IOException("Cut.");
        });
        await Task.WhenAny(requests, replies);
        lock (_wires) _wires.Remove(wire);
    }

    private static async Task CopyAsync(TcpClient from, TcpClient to, Func<ReadOnlyMemory<byte>, Task> pass)
    {
        var buffer = new byte[16_384];
        while (await from.GetStream().ReadAsync(buffer) is > 0 and var read)
        {
            await pass(buffer.AsMemory(0, read));
            await to.GetStream().WriteAsync(buffer.AsMemory(0, read));
        }
    }

    private sealed class Wire(TcpClient client, TcpClient server) : IDisposable
    {
        private volatile bool _isSubscribed;

        public TcpClient Client => client;

        public TcpClient Server => server;

        public bool IsSubscribed
        {
            get => _isSubscribed;
            set => _isSubscribed = value;
        }

        public void Dispose()
        {
            client.Dispose();
            server.Dispose();
        }
    }
}

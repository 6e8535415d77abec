using System.Globalization;
using RequestCoalescing.Redis.Telemetry;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// The parts that the flights of one node share: the commands, the channel, the heartbeat and the forgets. The steps of a single flight are in
/// <see cref="Participation"/>.
/// </summary>
internal sealed class Node : IAsyncDisposable
{
    private readonly IConnectionMultiplexer _connection;
    private long _owners;

    public Node(IConnectionMultiplexer connection, RedisSingleflightOptions options, TimeSpan joinWindow, ClusterTelemetry telemetry)
    {
        (_connection, Options, JoinWindow, Telemetry) = (connection, options, joinWindow, telemetry);
        Channels = $"{options.KeyPrefix}:node:";
        Commands = new Commands(connection, options, telemetry);
        Heartbeat = new Heartbeat(connection, options, telemetry);
        Forgets = new Forgets(SendForgetAsync, options.OutageBreak, options.TimeProvider);
        Mailbox = new Mailbox(Name, Heartbeat);
        Subscription = new Subscription(connection, RedisChannel.Literal(Channels + Name), Commands, Mailbox);
        _connection.ConnectionFailed += OnConnectionFailed;
        _connection.ConnectionRestored += OnConnectionRestored;
    }

    public RedisSingleflightOptions Options { get; }

    public TimeSpan JoinWindow { get; }

    public ClusterTelemetry Telemetry { get; }

    public Commands Commands { get; }

    public Heartbeat Heartbeat { get; }

    public Forgets Forgets { get; }

    public Mailbox Mailbox { get; }

    public Subscription Subscription { get; }

    /// <summary>The name of this node in Redis. No other node has the same.</summary>
    public string Name { get; } = Guid.NewGuid().ToString("N")[..16];

    /// <summary>The prefix of the nodes' channels; the name of a node follows.</summary>
    public string Channels { get; }

    /// <summary>Lets a flight of this node take part in the cluster. It is registered before it enters, so that it misses no message.</summary>
    /// <param name="names">The key.</param>
    /// <param name="flight">The flight.</param>
    /// <param name="forget">Forgets the flight on this node.</param>
    public Participation Participate(Names names, FlightContext flight, Action forget)
    {
        var owner = string.Create(CultureInfo.InvariantCulture, $"{Name}-{Interlocked.Increment(ref _owners)}");
        var participation = new Participation(this, new Lease(names, owner, Options), flight, forget);
        Mailbox.Register(participation);
        return participation;
    }

    /// <summary>Point 8: forgets for the cluster. The command is sent before this method returns. If it is lost, it is sent again until it arrives.</summary>
    /// <param name="names">The key.</param>
    /// <param name="held">The leases that this node held for the key when it forgot the flight here.</param>
    /// <returns>Completes when Redis has forgotten. Fails if Redis does not answer within the command timeout.</returns>
    public Task ForgetAsync(Names names, Lease[] held)
    {
        foreach (var lease in held) lease.Lose();
        var forgotten = Forgets.SendAsync(names).WaitAsync(Options.CommandTimeout, Options.TimeProvider);
        Commands.Follow(forgotten); // the caller need not await it
        return forgotten;
    }

    /// <summary>Completes when Redis has received every forget of this node for the key. Fails if Redis does not answer within the command timeout.</summary>
    public Task ForgottenAsync(Names names) =>
        Forgets.Owed(names)?.WaitAsync(Options.CommandTimeout, Options.TimeProvider) ?? Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        _connection.ConnectionFailed -= OnConnectionFailed;
        _connection.ConnectionRestored -= OnConnectionRestored;
        Heartbeat.Dispose();
        Forgets.Dispose();
        await Commands.DrainAsync().ConfigureAwait(false);
        await Subscription.EndAsync(Options.CommandTimeout, Options.TimeProvider).ConfigureAwait(false);
    }

    // The circuit does not apply: a forget is sent whatever happened before, or waits for the connection to return.
    private Task<RedisResult> SendForgetAsync(Names names)
    {
        var sent = Commands.Send(
            Scripts.Forget, [names.Lease, names.Last, names.Outcome, names.Waiting], [Name, names.Key, Channels, (long)Options.LeaseDuration.TotalMilliseconds]);
        Commands.Follow(sent);
        return sent;
    }

    private void OnConnectionFailed(object? sender, ConnectionFailedEventArgs e)
    {
        Subscription.Doubt();
        Mailbox.WakeAll();
    }

    private void OnConnectionRestored(object? sender, ConnectionFailedEventArgs e)
    {
        Commands.CloseCircuit();
        Forgets.SendAgain();
        Subscription.Probe();
        Mailbox.WakeAll();
    }
}

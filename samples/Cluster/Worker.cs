using System.Globalization;
using System.Net;
using System.Net.Sockets;
using RequestCoalescing;
using StackExchange.Redis;

namespace Cluster;

/// <summary>
/// A node in its own process. It reads commands from standard input, one a line, and answers each with one line. <c>call key callers ms</c> makes
/// that many calls for one key at once. <c>spread prefix keys ms</c> makes a call for each of many keys at once. <c>starve name threads ms</c>
/// keeps all threads of the pool busy for that time, with more work queued for them. It does the same to the thread that watches the sockets, if their
/// completions run on that thread.
/// </summary>
internal static class Worker
{
    public static async Task<int> RunAsync(string redis, Uri backend, TimeSpan lease)
    {
        using var counts = new Counts();
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = backend };
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis);
        await using var singleflight = new RedisSingleflight(connection, new SingleflightOptions { MaxDuration = TimeSpan.FromMinutes(1) }, new RedisSingleflightOptions { LeaseDuration = lease, CommandTimeout = TimeSpan.FromSeconds(20) });
        await singleflight.ExecuteAsync($"warm-up {Environment.ProcessId}", static _ => ValueTask.FromResult(0));
        Console.WriteLine("ready");
        while (await Console.In.ReadLineAsync() is { } command)
        {
            if (command.StartsWith("starve", StringComparison.Ordinal)) Starve(command.Split(' '));
            else _ = AnswerAsync(command.Split(' '));
        }

        return 0;

        async Task AnswerAsync(string[] command)
        {
            var (name, count, ms) = (command[1], int.Parse(command[2], CultureInfo.InvariantCulture), command[3]);
            var calls = Enumerable.Range(0, count).Select(call => CallAsync(command[0] == "call" ? name : $"{name}-{call}", ms)).ToArray();
            var answers = await Task.WhenAll(calls);
            var failed = answers.Count(answer => answer is null);
            var different = answers.OfType<string>().Distinct().ToList();
            Console.WriteLine($"{name}|{count - failed}|{failed}|{different.Count}|{different.FirstOrDefault()}|{counts.Read()}");
        }

        async Task<string?> CallAsync(string key, string ms)
        {
            try
            {
                return await singleflight.ExecuteAsync(key, flight => client.GetStringAsync($"{key}?node={Environment.ProcessId}&ms={ms}", flight));
            }
            catch (Exception exception)
            {
                await Console.Error.WriteLineAsync(exception.Message);
                return null;
            }
        }
    }

    private static void Starve(string[] command)
    {
        var (name, threads, duration) = (command[1], int.Parse(command[2], CultureInfo.InvariantCulture), TimeSpan.FromMilliseconds(int.Parse(command[3], CultureInfo.InvariantCulture)));
        var over = new ManualResetEventSlim(); // the waiting work items outlive this method
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var sender = new TcpClient("127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port);
        _ = HoldAsync(listener.AcceptTcpClient(), over);
        for (var i = 0; i < threads; i++) ThreadPool.UnsafeQueueUserWorkItem(over => over.Wait(), over, preferLocal: false);
        sender.GetStream().WriteByte(0);
        Thread.Sleep(duration);
        over.Set();
        Console.WriteLine($"{name}|0|0|0||");
    }

    private static async Task HoldAsync(TcpClient receiver, ManualResetEventSlim over)
    {
        using (receiver) await receiver.GetStream().ReadExactlyAsync(new byte[1]);
        over.Wait();
    }
}

using System.Globalization;
using RequestCoalescing;
using StackExchange.Redis;

namespace Cluster;

/// <summary>
/// A node, as a process of its own. It is told on its standard input what to do, one order a line, and answers each with a line:
/// <c>call key callers ms</c> has that many callers ask for a key at once; <c>spread prefix keys ms</c> asks for many keys at once;
/// <c>starve name threads ms</c> keeps all threads of the pool busy for that time, and leaves work waiting for them.
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
        while (await Console.In.ReadLineAsync() is { } order)
        {
            if (order.StartsWith("starve", StringComparison.Ordinal)) Starve(order.Split(' '));
            else _ = ObeyAsync(order.Split(' '));
        }

        return 0;

        async Task ObeyAsync(string[] order)
        {
            var (name, count, ms) = (order[1], int.Parse(order[2], CultureInfo.InvariantCulture), order[3]);
            var calls = Enumerable.Range(0, count).Select(call => AskAsync(order[0] == "call" ? name : $"{name}-{call}", ms)).ToArray();
            var answers = await Task.WhenAll(calls);
            var failed = answers.Count(answer => answer is null);
            var different = answers.OfType<string>().Distinct().ToList();
            Console.WriteLine($"{name}|{count - failed}|{failed}|{different.Count}|{different.FirstOrDefault()}|{counts.Read()}");
        }

        async Task<string?> AskAsync(string key, string ms)
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

    private static void Starve(string[] order)
    {
        var (name, threads, duration) = (order[1], int.Parse(order[2], CultureInfo.InvariantCulture), TimeSpan.FromMilliseconds(int.Parse(order[3], CultureInfo.InvariantCulture)));
        var over = new ManualResetEventSlim(); // those that wait for it outlive this
        for (var i = 0; i < threads; i++) ThreadPool.UnsafeQueueUserWorkItem(over => over.Wait(), over, preferLocal: false);
        Thread.Sleep(duration);
        over.Set();
        Console.WriteLine($"{name}|0|0|0||");
    }
}

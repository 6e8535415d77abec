using System.Diagnostics;
using System.Globalization;

namespace Proxy;

/// <summary>All clients ask for the page at once: of the server, and of the proxy in front of it.</summary>
internal static class Story
{
    public static async Task<int> TellAsync(int clients, CancellationToken cancellationToken)
    {
        try
        {
            await using var origin = await SlowOrigin.StartAsync();
            await using var proxy = await ProxyProcess.StartAsync(origin.Address, cancellationToken);
            Console.WriteLine($"A server takes 100 ms for a page, and makes 50 at once. {Number(clients)} clients ask for the page at once.");
            Console.WriteLine();
            Console.WriteLine("                      pages made      p50        p99   failed");
            await RunAsync("without the proxy", origin.Address);
            var pages = await RunAsync("with the proxy", proxy.Address);
            Console.WriteLine();
            Console.WriteLine($"With the proxy, {Number(clients)} clients asked, and the server made {Number(pages)} page{(pages == 1 ? "" : "s")}.");
            return pages <= Math.Max(1, clients / 100) ? 0 : 1; // a client that comes when the page has left starts anew

            async Task<int> RunAsync(string name, Uri address)
            {
                var (times, failed) = await AskAsync(new Uri(address, "/page"), clients, cancellationToken);
                var made = origin.TakeCount();
                Console.WriteLine($"{name,-20}{Number(made),12}{Milliseconds(times, 0.5),9}{Milliseconds(times, 0.99),11}{failed,9}");
                return made;
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return 130;
        }
    }

    // All requests are sent before the first response is awaited.
    private static async Task<(double[] Times, int Failed)> AskAsync(Uri page, int clients, CancellationToken cancellationToken)
    {
        using var client = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = clients }) { Timeout = TimeSpan.FromMinutes(2) };
        var failed = 0;
        var times = await Task.WhenAll(Enumerable.Range(0, clients).Select(async _ =>
        {
            var start = Stopwatch.GetTimestamp();
            using var response = await client.GetAsync(page, cancellationToken);
            if (!response.IsSuccessStatusCode || await response.Content.ReadAsStringAsync(cancellationToken) != "The page.") Interlocked.Increment(ref failed);
            return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        }));
        Array.Sort(times);
        return (times, failed);
    }

    private static string Milliseconds(double[] times, double share) => $"{Number((int)times[(int)((times.Length - 1) * share)])} ms";

    private static string Number(int number) => number.ToString("N0", CultureInfo.InvariantCulture);
}

namespace Monitored;

/// <summary>Forty people at a time who ask for the weather of a few cities, again and again.</summary>
internal sealed class Visitors(Uri address) : IAsyncDisposable
{
    private static readonly string[] s_cities = ["Aachen", "Bergen", "Cork"];

    private readonly HttpClient _client = new() { BaseAddress = address };
    private readonly CancellationTokenSource _home = new();
    private Task _all = Task.CompletedTask;

    public void Come() => _all = Task.WhenAll(Enumerable.Range(0, 40).Select(visitor => AskAsync(s_cities[visitor % s_cities.Length])));

    public async ValueTask DisposeAsync()
    {
        await _home.CancelAsync();
        await _all;
        _client.Dispose();
        _home.Dispose();
    }

    private async Task AskAsync(string city)
    {
        while (!_home.IsCancellationRequested)
        {
            try
            {
                using var response = await _client.GetAsync($"weather/{city}", _home.Token);
                await Task.Delay(50, _home.Token);
            }
            catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException)
            {
                // They go home, or ask again.
            }
        }
    }
}

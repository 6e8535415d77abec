namespace Monitored;

/// <summary>Forty visitors that request the weather of a few cities, again and again.</summary>
internal sealed class Visitors(Uri address) : IAsyncDisposable
{
    private static readonly string[] s_cities = ["Aachen", "Bergen", "Cork"];

    private readonly HttpClient _client = new() { BaseAddress = address };
    private readonly CancellationTokenSource _end = new();
    private Task _all = Task.CompletedTask;

    public void Start() => _all = Task.WhenAll(Enumerable.Range(0, 40).Select(visitor => VisitAsync(s_cities[visitor % s_cities.Length])));

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _all;
        _client.Dispose();
        _end.Dispose();
    }

    private async Task VisitAsync(string city)
    {
        while (!_end.IsCancellationRequested)
        {
            try
            {
                using var response = await _client.GetAsync($"weather/{city}", _end.Token);
                await Task.Delay(50, _end.Token);
            }
            catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException)
            {
                // The visitor stops, or tries again.
            }
        }
    }
}

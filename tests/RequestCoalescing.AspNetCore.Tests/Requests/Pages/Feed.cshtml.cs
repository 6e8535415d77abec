using Microsoft.AspNetCore.Mvc.RazorPages;

namespace RequestCoalescing.AspNetCore.Tests.Requests.Pages;

/// <summary>A page whose equal requests share a run. The test opens the stage.</summary>
[CoalesceRequests]
public sealed class FeedModel(Stage stage) : PageModel
{
    public string? Topic { get; private set; }

    public int Run { get; private set; }

    public async Task OnGetAsync(string? topic)
    {
        Topic = topic;
        Run = stage.Enter();
        await stage.Opened;
    }
}

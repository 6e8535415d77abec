using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace RequestCoalescing.AspNetCore.Tests.Requests.Pages;

/// <summary>A page with a form, whose token belongs to the cookie of one caller.</summary>
[CoalesceRequests("form")]
public sealed class FormModel(Stage stage) : PageModel
{
    public async Task OnGetAsync()
    {
        stage.Enter();
        await stage.Opened;
    }

    public IActionResult OnPost() => Content("accepted");
}

using System.Reflection;
using System.Runtime.InteropServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace RequestCoalescing.AspNetCore.Dashboard;

/// <summary>The process that the figures come from.</summary>
/// <param name="Node">The name of the machine.</param>
/// <param name="Id">The process id.</param>
/// <param name="Application">The name of the application.</param>
/// <param name="ApplicationVersion">Its version.</param>
/// <param name="LibraryVersion">The version of this library.</param>
/// <param name="Runtime">The runtime.</param>
/// <param name="StartedAt">When the process started.</param>
internal sealed record DashboardProcess(
    string Node,
    int Id,
    string Application,
    string? ApplicationVersion,
    string? LibraryVersion,
    string Runtime,
    DateTimeOffset StartedAt)
{
    public static DashboardProcess Of(IServiceProvider services)
    {
        using var process = System.Diagnostics.Process.GetCurrentProcess();
        var entry = Assembly.GetEntryAssembly();
        return new(
            Environment.MachineName,
            Environment.ProcessId,
            services.GetService<IHostEnvironment>()?.ApplicationName ?? entry?.GetName().Name ?? "",
            VersionOf(entry),
            VersionOf(typeof(SingleflightInstance).Assembly),
            RuntimeInformation.FrameworkDescription,
            new DateTimeOffset(process.StartTime));
    }

    // The part after the plus sign is the commit, which is too long for the page.
    private static string? VersionOf(Assembly? assembly) => assembly?.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0];
}

using Microsoft.Extensions.Hosting;

namespace RequestCoalescing.DependencyInjection;

/// <summary>Makes all instances when the host starts, so that wrong settings are told then, and drains them when it stops.</summary>
/// <remarks>
/// Hosted services stop in the reverse order of their registration, the web server first: by then its requests are answered, and
/// nobody is refused who was let in.
/// </remarks>
internal sealed class SingleflightLifetime(IEnumerable<SingleflightInstance> instances) : IHostedService
{
    private readonly SingleflightInstance[] _instances = [.. instances];

    public Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var instance in _instances.Cast<Instance>()) instance.TellSettings();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) =>
        Task.WhenAll(_instances.Cast<Instance>().Select(instance => instance.DrainAsync(cancellationToken)));
}

using Microsoft.Extensions.Hosting;
using RequestCoalescing.Engine;

namespace RequestCoalescing.DependencyInjection;

/// <summary>Creates all instances when the host starts, so that wrong settings fail the start, and drains them when the host stops.</summary>
/// <remarks>
/// All instances are drained together, because the work of one may call another. The drain begins when every hosted service has stopped, in
/// whatever order they were registered. By then the web server has answered its requests, and workers have made their last calls.
/// </remarks>
internal sealed class SingleflightLifetime(IEnumerable<SingleflightInstance> instances) : IHostedLifecycleService
{
    private readonly Instance[] _instances = [.. instances.Cast<Instance>()];

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var instance in _instances.Cast<Instance>()) instance.LogSettings();
        return Task.CompletedTask;
    }

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StoppedAsync(CancellationToken cancellationToken)
    {
        if (await Drain.RunAsync([.. _instances.Select(instance => instance.Engine)], cancellationToken).ConfigureAwait(false)) return;
        foreach (var instance in _instances) instance.Abort();
    }
}

using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>Checks, when the host has started, that the policies of all endpoints exist and that the middleware is there.</summary>
internal sealed class EndpointCheck(IServiceProvider services, Pipelines pipelines) : IHostedLifecycleService
{
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        foreach (var endpoint in services.GetServices<EndpointDataSource>().SelectMany(static source => source.Endpoints))
        {
            if (endpoint.Metadata.GetMetadata<CoalesceRequestsAttribute>() is not { IsEnabled: true } metadata) continue;
            Policy.Of(services, metadata.Policy, endpoint);
            if (!pipelines.IsUsed) throw new InvalidOperationException($"The endpoint '{endpoint.DisplayName}' coalesces its requests. Call app.UseRequestCoalescing(), after app.UseAuthorization() if there is one.");
        }

        return Task.CompletedTask;
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

using System.CommandLine;
using Cluster;

var workers = new Option<int>("--workers") { Description = "The number of processes, 2 to 32.", DefaultValueFactory = _ => 4 };
workers.Validators.Add(result =>
{
    if (result.GetValueOrDefault<int>() is < 2 or > 32) result.AddError("--workers must be from 2 to 32.");
});
var callers = new Option<int>("--callers") { Description = "The number of callers in each process, 1 to 100,000.", DefaultValueFactory = _ => 500 };
callers.Validators.Add(result =>
{
    if (result.GetValueOrDefault<int>() is < 1 or > 100_000) result.AddError("--callers must be from 1 to 100000.");
});
var redis = new Option<string?>("--redis") { Description = "A server to use instead of the embedded one, as a StackExchange.Redis connection string." };

var workerRedis = new Option<string>("--redis") { Required = true };
var workerBackend = new Option<string>("--backend") { Required = true };
var workerLease = new Option<double>("--lease") { Required = true };
var worker = new Command("worker", "Runs a node. The main command starts it.") { workerRedis, workerBackend, workerLease };
worker.Hidden = true;
worker.SetAction((arguments, _) => Worker.RunAsync(arguments.GetValue(workerRedis)!, new Uri(arguments.GetValue(workerBackend)!), TimeSpan.FromMilliseconds(arguments.GetValue(workerLease))));

var command = new RootCommand("Coalescing across processes: one backend call for all of them, and one more when the leader is killed.") { workers, callers, redis, worker };
command.SetAction((arguments, _) => Story.TellAsync(arguments.GetValue(workers), arguments.GetValue(callers), arguments.GetValue(redis)));

// All samples share these exit codes. ../README.md lists them.
var parsed = command.Parse(args);
if (parsed.Errors is not [var error, ..]) return await parsed.InvokeAsync();
Console.Error.WriteLine($"cluster: {error.Message.ReplaceLineEndings(" ")}");
return 2;

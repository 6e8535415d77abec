using System.CommandLine;
using Monitored;

var port = new Option<int>("--port") { Description = "The app's port on the loopback address. 0 for any free port.", DefaultValueFactory = _ => 0 };
port.Validators.Add(result =>
{
    if (result.GetValueOrDefault<int>() is < 0 or > 65535) result.AddError("--port must be from 0 to 65535.");
});
var trouble = new Option<double?>("--for") { Description = "How many seconds the backend hangs. It hangs at least until the alert fires. Default: until you press a key, or without a keyboard until the alert fires." };
trouble.Validators.Add(result =>
{
    if (result.GetValueOrDefault<double?>() is { } seconds && !(seconds is > 0 and <= 86_400)) result.AddError("--for must be more than 0 and at most 86400 seconds.");
});
var serve = new Option<bool>("--serve") { Description = "Keep everything running at the end, until Ctrl+C." };
var command = new RootCommand("A real Prometheus watches an app. Its backend hangs, and an alert fires.") { port, trouble, serve };
command.SetAction((arguments, cancellationToken) => Story.TellAsync(arguments.GetValue(port), arguments.GetValue(trouble), arguments.GetValue(serve), cancellationToken));

// All samples share these exit codes. ../README.md lists them.
const int Failure = 1;
const int Usage = 2;
const int Interrupted = 130;
var parsed = command.Parse(args);
if (parsed.Errors is [var error, ..]) return Fail(error.Message, Usage);
try
{
    return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (Exception exception) when (exception is TimeoutException or IOException) // the port is in use, for example
{
    return Fail(exception.Message, Failure);
}
catch (OperationCanceledException)
{
    return Fail("Interrupted.", Interrupted);
}

static int Fail(string message, int exitCode)
{
    Console.Error.WriteLine($"monitored: {message.ReplaceLineEndings(" ")}");
    return exitCode;
}

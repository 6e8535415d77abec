using System.CommandLine;
using Proxy;

// A slow server, the proxy in front of it, and thousands of clients at once: with the proxy, and without.
var clients = new Option<int>("--clients") { Description = "The number of clients.", DefaultValueFactory = static _ => 5_000 };
clients.Validators.Add(static result =>
{
    if (result.GetValue<int>("--clients") is < 1 or > 20_000) result.AddError("--clients must be from 1 to 20000.");
});
var command = new RootCommand("Shows what singleflight-proxy does for a slow server when thousands ask at once.") { clients };
command.SetAction((parsed, cancellationToken) => Story.TellAsync(parsed.GetValue(clients), cancellationToken));
var line = command.Parse(args);
return line.Errors.Count > 0 && line.Action is not System.CommandLine.Help.HelpAction ? Fail(line.Errors[0].Message) : await line.InvokeAsync();

static int Fail(string problem)
{
    Console.Error.WriteLine(problem);
    return 2;
}

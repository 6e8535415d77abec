using Patterns;

return await CommandLine.RunAsync(args, Pattern.All, Console.Out, Console.Error);

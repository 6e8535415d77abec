using RequestCoalescing.Proxy;

return await CommandLine.RunAsync(args);

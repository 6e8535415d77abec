using System.Globalization;
using BenchmarkDotNet.Running;
using RequestCoalescing.Benchmarks.Batching;
using RequestCoalescing.Benchmarks.Caching;
using RequestCoalescing.Benchmarks.Cluster;
using RequestCoalescing.Benchmarks.Http;
using RequestCoalescing.Benchmarks.Quick;
using RequestCoalescing.Benchmarks.Soak;

if (args is ["--quick"]) QuickRun.Run(Console.Out);
else if (args is ["--hot"]) HotKeyRun.Run(Console.Out);
else if (args is ["--quick", "--telemetry"]) QuickRun.RunTelemetry(Console.Out);
else if (args is ["--caching"]) await CachingRun.RunAsync(Console.Out);
else if (args is ["--batching"]) await BatchingRun.RunAsync(Console.Out);
else if (args is ["--http"]) await HttpRun.RunAsync(Console.Out);
else if (args is ["--soak", var minutes]) return await SoakRun.RunAsync(TimeSpan.FromMinutes(double.Parse(minutes, CultureInfo.InvariantCulture)), Console.Out);
else if (args is ["--cluster", ..]) await ClusterRun.RunAsync(args is [_, var redis] ? redis : null, Console.Out);
else BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
return 0;

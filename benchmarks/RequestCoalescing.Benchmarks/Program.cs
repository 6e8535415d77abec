using BenchmarkDotNet.Running;
using RequestCoalescing.Benchmarks.Quick;

if (args is ["--quick"]) QuickRun.Run(Console.Out);
else if (args is ["--quick", "--telemetry"]) QuickRun.RunTelemetry(Console.Out);
else BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);

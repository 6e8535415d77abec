using ViralPost;

return await CommandLine.RunAsync(args);

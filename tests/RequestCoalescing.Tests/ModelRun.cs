namespace RequestCoalescing.Tests;

/// <summary>Runs a sequence of commands on a subject and on its model, and compares the two after each.</summary>
internal static class ModelRun
{
    public static void Compare<TCommand>(TCommand[] commands, Action<TCommand> subject, Func<string> describe, Action<TCommand> model, Func<string> expect, TimeSpan settling)
    {
        foreach (var command in commands)
        {
            subject(command);
            model(command);
            var expected = expect();
            SpinWait.SpinUntil(() => describe() == expected, settling);
            Assert.Equal(expected, describe());
        }
    }
}

using CsCheck;

namespace RequestCoalescing.Tests.Batching;

/// <summary>Runs random sequences of commands on a loader and on a small model, and compares them. A failing sequence is shrunk.</summary>
public sealed class BatchModelTests
{
    // Batches take off and end on the thread pool.
    private static readonly TimeSpan s_settling = TimeSpan.FromSeconds(10);

    private static readonly Gen<BatchCommand> s_command = Gen.Frequency(
        (6, Gen.Select(Gen.Int[0, 5], Gen.Bool, (key, leaves) => new BatchCommand(BatchCommandKind.Load, key, leaves))),
        (2, Gen.Int[0, 20].Select(caller => new BatchCommand(BatchCommandKind.Leave, caller))),
        (2, Gen.Int[1, 6].Select(seconds => new BatchCommand(BatchCommandKind.Wait, seconds))),
        (1, Gen.Int[0, 5].Select(key => new BatchCommand(BatchCommandKind.Forget, key))),
        (2, Gen.Int[0, 8].Select(batch => new BatchCommand(BatchCommandKind.Succeed, batch))),
        (1, Gen.Int[0, 8].Select(batch => new BatchCommand(BatchCommandKind.Fail, batch))));

    [Fact]
    public void The_loader_behaves_like_the_model() =>
        Gen.Select(Gen.Int[0, 5], Gen.Int[1, 4], Gen.Int[1, 3], s_command.Array[1, 40]).Sample(
            (window, size, concurrent, commands) =>
            {
                var subject = new BatchSubject(window, size, concurrent);
                var model = new BatchModel(window, size, concurrent);
                foreach (var command in commands)
                {
                    subject.Do(command);
                    model.Do(command);
                    var expected = model.Describe();
                    SpinWait.SpinUntil(() => subject.Describe() == expected, s_settling);
                    Assert.Equal(expected, subject.Describe());
                }
            },
            iter: 1_000);
}

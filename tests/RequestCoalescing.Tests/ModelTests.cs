using CsCheck;

namespace RequestCoalescing.Tests;

/// <summary>Runs random sequences of commands on an engine and on a small model, and compares them. A failing sequence is shrunk.</summary>
public sealed class ModelTests
{
    // A command has had all its effects when it returns, except for the flight that an election starts on the thread pool.
    private static readonly TimeSpan s_settling = TimeSpan.FromSeconds(2);

    private static readonly Gen<Command> s_command = Gen.Frequency(
        (6, Gen.Select(Gen.Int[0, 2], Gen.Bool, (key, leaves) => new Command(CommandKind.Call, key, leaves))),
        (2, Gen.Int[0, 30].Select(caller => new Command(CommandKind.Cancel, caller))),
        (2, Gen.Int[0, 20].Select(run => new Command(CommandKind.Succeed, run))),
        (1, Gen.Int[0, 20].Select(run => new Command(CommandKind.Fail, run))),
        (1, Gen.Int[0, 20].Select(run => new Command(CommandKind.EndCancelled, run))),
        (1, Gen.Int[0, 2].Select(key => new Command(CommandKind.Forget, key))),
        (1, Gen.Const(new Command(CommandKind.Clear, 0))),
        (2, Gen.Int[1, 12].Select(seconds => new Command(CommandKind.Wait, seconds))));

    [Fact]
    public void The_engine_behaves_like_the_model() =>
        s_command.Array[1, 60].Sample(
            commands =>
            {
                var subject = new ModelSubject();
                var model = new Model();
                ModelRun.Compare(commands, subject.Do, subject.Describe, model.Do, model.Describe, s_settling);
            },
            iter: 3_000);

    [Fact]
    public void Concurrent_commands_have_the_effect_of_some_sequential_order() =>
        Gen.Const(0).Select(_ => new ModelSubject()).SampleParallel(
            Gen.Select(Gen.Int[0, 1], Gen.Bool).Operation<ModelSubject>((subject, call) => subject.Do(new Command(CommandKind.Call, call.Item1, call.Item2))),
            Gen.Int[0, 3].Operation<ModelSubject>((subject, run) => subject.Do(new Command(CommandKind.Succeed, run))),
            Gen.Int[0, 1].Operation<ModelSubject>((subject, key) => subject.Do(new Command(CommandKind.Forget, key))),
            Gen.Int[0, 3].Operation<ModelSubject>((subject, run) => subject.Do(new Command(CommandKind.Fail, run))),
            Gen.Int[0, 5].Operation<ModelSubject>((subject, caller) => subject.Do(new Command(CommandKind.Cancel, caller))),
            equal: (left, right) => left.DescribeTotals() == right.DescribeTotals(),
            iter: 500);
}

using CsCheck;

namespace RequestCoalescing.Tests.Streaming;

/// <summary>Runs random sequences of commands on a stream and on a small model, and compares them. A failing sequence is shrunk.</summary>
public sealed class StreamModelTests
{
    private static readonly TimeSpan s_settling = TimeSpan.FromSeconds(5);

    private static readonly Gen<StreamCommand> s_command = Gen.Frequency(
        (5, Gen.Const(new StreamCommand(StreamCommandKind.Call, 0))),
        (8, Gen.Int[0, 9].Select(caller => new StreamCommand(StreamCommandKind.Next, caller))),
        (3, Gen.Int[0, 9].Select(caller => new StreamCommand(StreamCommandKind.Leave, caller))),
        (8, Gen.Int[0, 4].Select(run => new StreamCommand(StreamCommandKind.Yield, run))),
        (1, Gen.Int[0, 4].Select(run => new StreamCommand(StreamCommandKind.End, run))),
        (1, Gen.Int[0, 4].Select(run => new StreamCommand(StreamCommandKind.Fail, run))),
        (1, Gen.Const(new StreamCommand(StreamCommandKind.Forget, 0))));

    [Fact]
    public void A_stream_behaves_like_the_model() =>
        s_command.Array[1, 60].Sample(
            commands =>
            {
                var subject = new StreamSubject();
                var model = new StreamModel();
                ModelRun.Compare(commands, subject.Do, subject.Describe, model.Do, model.Describe, s_settling);
            },
            iter: 1_000);

    [Fact]
    public void A_reader_misses_no_item_and_lags_only_if_it_is_a_buffer_behind() =>
        Gen.Select(Gen.Int[2, 40], Gen.Int[0, 3].Array[1, 300]).Sample(
            (maxBuffered, steps) =>
            {
                var backend = new StreamBackend<int>();
                var stream = new Singleflight().ExecuteStreamAsync("key", backend.Run, new StreamOptions { MaxBufferedItems = maxBuffered });
                var readers = Enumerable.Range(0, 3).Select(_ => new StreamPosition(stream)).ToList();
                var run = backend.NextRunAsync().GetAwaiter().GetResult();
                var yielded = 0;
                foreach (var step in steps)
                {
                    if (step == 3) run.Yield(yielded++);
                    else readers[step].Ask();
                    foreach (var reader in readers) reader.Look(maxBuffered, yielded);
                }

                run.End();
            },
            iter: 300);
}

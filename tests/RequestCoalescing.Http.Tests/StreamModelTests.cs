using CsCheck;
using RequestCoalescing.Http.Streams;

namespace RequestCoalescing.Http.Tests;

/// <summary>Random sequences of what an origin and its readers do, on a shared body, with a model that knows only the bytes of the origin. A failing sequence is shrunk.</summary>
public sealed class StreamModelTests
{
    private static readonly Gen<StreamStep> s_step = Gen.Frequency(
        (4, Gen.Int[1, 6_000].Select(static bytes => new StreamStep(StreamStepKind.Write, 0, bytes))),
        (5, Gen.Int[1, 150_000].Select(static bytes => new StreamStep(StreamStepKind.Write, 0, bytes))),
        (1, Gen.Const(new StreamStep(StreamStepKind.End))),
        (1, Gen.Const(new StreamStep(StreamStepKind.Fail))),
        (3, Gen.Const(new StreamStep(StreamStepKind.JoinExpected))),
        (2, Gen.Const(new StreamStep(StreamStepKind.JoinLate))),
        (1, Gen.Const(new StreamStep(StreamStepKind.Decline))),
        (6, Gen.Select(Gen.Int[0, 4], Gen.Int[1, 300_000], static (reader, bytes) => new StreamStep(StreamStepKind.Read, reader, bytes))),
        (4, Gen.Select(Gen.Int[0, 1], Gen.Int[1, 9_000], static (reader, bytes) => new StreamStep(StreamStepKind.Read, reader, bytes))),
        (1, Gen.Int[0, 4].Select(static reader => new StreamStep(StreamStepKind.Leave, reader))));

    [Fact]
    public void Each_reader_gets_exactly_the_bytes_of_the_origin_and_then_its_end()
    {
        var seen = new int[Enum.GetValues<StreamEvent>().Length];
        Gen.Select(Gen.Int[0, 3], s_step.Array[1, 70]).Sample(
            (expected, steps) =>
            {
                var subject = new StreamSubject(expected, happened => Interlocked.Increment(ref seen[(int)happened]));
                foreach (var step in steps) subject.Do(step);
                subject.Finish();
            },
            iter: 1_500,
            threads: 1); // each sample waits for the thread pool
        foreach (var happened in Enum.GetValues<StreamEvent>()) Assert.True(seen[(int)happened] > 0, $"{happened} has never happened.");
    }
}

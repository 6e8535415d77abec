using RequestCoalescing.Engine;

namespace RequestCoalescing.Tests;

public sealed class TurnstileTests
{
    [Fact]
    public void A_turnstile_admits_exactly_the_callers_that_come_before_it_closes()
    {
        for (var round = 0; round < 200; round++)
        {
            var turnstile = new Turnstile();
            var entered = 0;
            Crowd.Run(4, thread =>
            {
                if (thread == 0)
                {
                    Thread.SpinWait(round % 200);
                    turnstile.Close();
                    return;
                }

                var own = 0;
                while (turnstile.Enter() > 0) own++;
                Interlocked.Add(ref entered, own);
            });
            Assert.True(turnstile.Enter() < 0); // while the close goes on, one cell may be closed and the next still open
            Assert.Equal(entered, turnstile.Count);
        }
    }

    [Fact]
    public void The_cell_beside_the_length_of_the_array_belongs_to_no_processor()
    {
        // Every join reads the length. If a counter were in the same cache line, each join would make the joins on other processors wait for that line.
        for (var look = 0; look < 10_000; look++) Assert.InRange(Turnstile.CellOfProcessor, 1, Turnstile.Cells - 1);
    }
}

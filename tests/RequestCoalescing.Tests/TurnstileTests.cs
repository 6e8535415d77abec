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
                while (turnstile.TryEnter()) own++;
                Interlocked.Add(ref entered, own);
            });
            Assert.False(turnstile.TryEnter()); // while the close goes on, one cell may be closed and the next still open
            Assert.Equal(entered, turnstile.Count);
        }
    }
}

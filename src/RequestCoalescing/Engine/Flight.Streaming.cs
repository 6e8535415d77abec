namespace RequestCoalescing.Engine;

/// <content>A flight that streams. It leaves the list that the timer looks at.</content>
internal abstract partial class Flight
{
    TimeProvider IStreamFlight.Clock => Shard.Settings.Clock;

    bool IStreamFlight.IsJoinable => Volatile.Read(ref IsCurrent);

    bool IStreamFlight.HasSubscriber(CancellationToken cancellationToken)
    {
        while (AdmitArrivals()) Shard.LetOthersIn();
        lock (Shard.Gate)
        {
            var last = State == FlightState.InFlight ? First?.Previous : null;
            for (var subscriber = last; subscriber is not null; subscriber = subscriber == First ? null : subscriber.Previous)
            {
                if (subscriber.HasJoinedWith(cancellationToken)) return true;
            }

            return false;
        }
    }

    void IStreamFlight.StartStreaming()
    {
        lock (Shard.Gate)
        {
            if (IsStreaming || State is not (FlightState.InFlight or FlightState.Cancelled)) return;
            Shard.RemoveAirborne(this, isMoved: true);
            IsStreaming = true;
            Shard.AddStreaming(this);
        }
    }

    void IStreamFlight.CloseToJoiners()
    {
        lock (Shard.Gate) CloseToJoiners();
    }

    void IStreamFlight.ExpireIdle(TimeSpan maxIdle)
    {
        FlightTimeoutException timeout;
        bool hadSubscribers;
        lock (Shard.Gate)
        {
            if (State is not (FlightState.InFlight or FlightState.Cancelled)) return;
            hadSubscribers = State == FlightState.InFlight;
            var settings = Shard.Settings;
            timeout = new FlightTimeoutException(settings.Name, settings.LabelOf(KeyObject!), maxIdle, settings.Clock.GetElapsedTime(TakenOffAt), CloseToJoiners()) { IsIdle = true };
            Expire(timeout);
        }

        OnExpired(timeout, hadSubscribers);
    }
}

using System.Diagnostics;
using RequestCoalescing.Engine;

namespace RequestCoalescing.Telemetry;

/// <summary>The span of one flight, and the followers' spans that are linked with it.</summary>
internal sealed class FlightSpan
{
    public static readonly ActivitySource Source = new(SingleflightTelemetry.ActivitySourceName, typeof(FlightSpan).Assembly.GetName().Version?.ToString(3));

    private readonly Lock _gate = new();
    private List<Activity>? _early; // followers who were there before the span was
    private Activity? _span;
    private int _links;
    private Ending? _ending;

    /// <summary>Starts a span, which becomes the current span of the flight's work. Without a listener that samples it, there is no span.</summary>
    /// <param name="state">The flight's state.</param>
    /// <param name="instance">The instance's name.</param>
    /// <param name="role">The role of the caller that the flight belongs to.</param>
    /// <param name="leader">The parent span. Null for the current span.</param>
    /// <param name="maxLinks">The highest number of followers that are linked.</param>
    public static void Start(ref object? state, string instance, string role, Activity? leader, int maxLinks)
    {
        Activity? span = null;
        try
        {
            if (Source.HasListeners() && Volatile.Read(ref state) != FlightListener.Indifferent) span = Source.StartActivity("singleflight.flight", ActivityKind.Internal, leader?.Context ?? default);
        }
        finally
        {
            if (span is null) Volatile.Write(ref state, FlightListener.Indifferent);
        }

        if (span is null) return;
        span.SetTag("singleflight.name", instance);
        span.SetTag("singleflight.role", role);
        if (In(ref state) is { } started) started.Start(span, maxLinks);
        else Stop(span, new Ending("cancelled", 0, null)); // all callers have left meanwhile
    }

    /// <summary>Links the span of a follower and the flight's span, in both directions. A follower that joins before the flight's span starts is linked when it starts.</summary>
    public static void Join(ref object? state, int maxLinks)
    {
        if (Volatile.Read(ref state) == FlightListener.Indifferent || !Source.HasListeners() || Activity.Current is not { } follower) return;
        In(ref state)?.Join(follower, maxLinks);
    }

    /// <summary>Ends the span, if there is one.</summary>
    public static void End(ref object? state, string outcome, int subscribers, Exception? error)
    {
        if (Volatile.Read(ref state) != FlightListener.Indifferent) (Interlocked.Exchange(ref state, FlightListener.Indifferent) as FlightSpan)?.End(outcome, subscribers, error);
    }

    private static FlightSpan? In(ref object? state)
    {
        if (Volatile.Read(ref state) is null) Interlocked.CompareExchange(ref state, new FlightSpan(), null);
        return Volatile.Read(ref state) as FlightSpan;
    }

    private void Start(Activity span, int maxLinks)
    {
        Ending? ending;
        lock (_gate)
        {
            _span = span;
            ending = _ending;
            foreach (var follower in _early ?? []) LinkTo(follower, maxLinks);
            _early = null;
        }

        if (ending is not null) Stop(span, ending); // all callers have left meanwhile
    }

    private void Join(Activity follower, int maxLinks)
    {
        lock (_gate)
        {
            if (_span is not null) LinkTo(follower, maxLinks);
            else if ((_early?.Count ?? 0) < maxLinks) (_early ??= []).Add(follower);
        }
    }

    private void End(string outcome, int subscribers, Exception? error)
    {
        var ending = new Ending(outcome, subscribers, error);
        Activity? span;
        lock (_gate)
        {
            _ending = ending;
            span = _span;
        }

        Stop(span, ending);
    }

    // Exporters are called from in here: outside of the gate.
    private static void Stop(Activity? span, Ending ending)
    {
        if (span is not { IsStopped: false }) return;
        span.SetTag("singleflight.outcome", ending.Outcome);
        span.SetTag("singleflight.subscribers", ending.Subscribers);
        if (ending.Error is not null)
        {
            span.SetTag("error.type", ending.Error.GetType().FullName);
            span.SetStatus(ActivityStatusCode.Error);
        }

        // The thread that ends the flight must keep the current span that it had.
        var current = Activity.Current;
        span.Stop();
        if (current != span) Activity.Current = current;
    }

    private void LinkTo(Activity follower, int maxLinks)
    {
        if (_span is not { IsStopped: false } span || _links >= maxLinks || follower == span) return;
        _links++;
        span.AddLink(new ActivityLink(follower.Context, Role("follower")));

        // A job that follows one flight after the other has a span that lives as long as itself.
        if (!follower.IsStopped && follower.Links.Take(maxLinks).Count() < maxLinks) follower.AddLink(new ActivityLink(span.Context, Role("flight")));
    }

    private static ActivityTagsCollection Role(string role) => new([new("singleflight.role", role)]);

    private sealed record Ending(string Outcome, int Subscribers, Exception? Error);
}

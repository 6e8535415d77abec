using System.Diagnostics;

namespace RequestCoalescing.Telemetry;

/// <summary>The span of one flight, and the followers' spans that are linked with it.</summary>
internal sealed class FlightSpan
{
    private static readonly ActivitySource s_source = new(SingleflightTelemetry.ActivitySourceName, typeof(FlightSpan).Assembly.GetName().Version?.ToString(3));

    private readonly Lock _gate = new();
    private List<Activity>? _early; // followers who were there before the span was
    private Activity? _span;
    private int _links;
    private bool _hasStarted;
    private Ending? _ending;

    public static bool IsListenedTo => s_source.HasListeners();

    /// <summary>Starts the span, which becomes the current one of the flight's work.</summary>
    public void Start(string instance, string role, ActivityContext leader, int maxLinks)
    {
        var span = s_source.StartActivity("singleflight.flight", ActivityKind.Internal, leader);
        span?.SetTag("singleflight.name", instance);
        span?.SetTag("singleflight.role", role);
        Ending? ending;
        lock (_gate)
        {
            _hasStarted = true;
            _span = span;
            ending = _ending;
            foreach (var follower in _early ?? []) LinkTo(follower, maxLinks);
            _early = null;
        }

        if (ending is not null) Stop(span, ending); // all have left meanwhile
    }

    /// <summary>Links the span of a follower with this, both ways.</summary>
    public void Join(Activity follower, int maxLinks)
    {
        lock (_gate)
        {
            if (_hasStarted) LinkTo(follower, maxLinks);
            else if ((_early?.Count ?? 0) < maxLinks) (_early ??= []).Add(follower);
        }
    }

    /// <summary>Ends the span.</summary>
    public void End(string outcome, int subscribers, Exception? error)
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

        // Whoever ends the flight is not to find another span current than before.
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

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

    public static bool IsListenedTo => s_source.HasListeners();

    /// <summary>Starts the span, which becomes the current one of the flight's work.</summary>
    public void Start(string instance, string role, int maxLinks)
    {
        var span = s_source.StartActivity("singleflight.flight", ActivityKind.Internal);
        span?.SetTag("singleflight.name", instance);
        span?.SetTag("singleflight.role", role);
        lock (_gate)
        {
            _hasStarted = true;
            _span = span;
            foreach (var follower in _early ?? []) LinkTo(follower, maxLinks);
            _early = null;
        }
    }

    /// <summary>Links the span of a follower with this, both ways.</summary>
    public void Join(Activity follower, int maxLinks)
    {
        lock (_gate)
        {
            if (_hasStarted) LinkTo(follower, maxLinks);
            else if (_links + (_early?.Count ?? 0) < maxLinks) (_early ??= []).Add(follower);
        }
    }

    /// <summary>Ends the span.</summary>
    public void End(string outcome, int subscribers, Exception? error)
    {
        lock (_gate)
        {
            if (_span is not { IsStopped: false } span) return;
            span.SetTag("singleflight.outcome", outcome);
            span.SetTag("singleflight.subscribers", subscribers);
            if (error is not null)
            {
                span.SetTag("error.type", error.GetType().FullName);
                span.SetStatus(ActivityStatusCode.Error);
            }

            // Whoever ends the flight is not to find another span current than before.
            var current = Activity.Current;
            span.Stop();
            if (current != span) Activity.Current = current;
        }
    }

    private void LinkTo(Activity follower, int maxLinks)
    {
        if (_span is not { } span || _links >= maxLinks || follower == span) return;
        _links++;
        if (!span.IsStopped) span.AddLink(new ActivityLink(follower.Context, Role("follower")));
        if (!follower.IsStopped) follower.AddLink(new ActivityLink(span.Context, Role("flight")));
    }

    private static ActivityTagsCollection Role(string role) => new([new("singleflight.role", role)]);
}

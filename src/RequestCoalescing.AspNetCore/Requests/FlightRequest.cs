using System.Net;
using System.Security.Claims;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Features.Authentication;
using Microsoft.AspNetCore.Localization;
using Microsoft.AspNetCore.Routing;

namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>Makes the request that the endpoint sees. It has only what all callers of the flight have in common.</summary>
internal static class FlightRequest
{
    public static FeatureCollection Create(Caller caller, HttpRequestMessage shared, ReadGuard? guard)
    {
        var headers = new HeaderDictionary { ["Host"] = caller.Host };
        foreach (var (name, values) in shared.Headers.NonValidated) headers[name] = values.ToArray();
        var features = new FeatureCollection();
        features.Set<IHttpRequestFeature>(new HttpRequestFeature
        {
            Protocol = HttpProtocol.Http11,
            Scheme = caller.Scheme,
            Method = shared.Method.Method,
            PathBase = caller.PathBase,
            Path = caller.Path,
            QueryString = caller.Query,
            RawTarget = shared.RequestUri!.PathAndQuery,
            Headers = guard is null ? headers : new GuardedHeaders(headers, guard),
        });
        features.Set<IHttpRequestBodyDetectionFeature>(new NoBody());
        features.Set<IRouteValuesFeature>(new RouteValuesFeature { RouteValues = new RouteValueDictionary(caller.RouteValues) });
        features.Set<IHttpAuthenticationFeature>(new FlightUser(caller.User, guard));
        features.Set<IHttpConnectionFeature>(new NoConnection(guard));
        features.Set<IRequestCultureFeature>(new RequestCultureFeature(new RequestCulture(caller.Culture, caller.UICulture), provider: null));
        return features;
    }

    private sealed class NoBody : IHttpRequestBodyDetectionFeature
    {
        public bool CanHaveBody => false;
    }

    private sealed class FlightUser(ClaimsPrincipal user, ReadGuard? guard) : IHttpAuthenticationFeature
    {
        private ClaimsPrincipal? _user = user;

        public ClaimsPrincipal? User
        {
            get
            {
                guard?.ReadUser();
                return _user;
            }
            set => _user = value;
        }
    }

    // The connections of the callers differ.
    private sealed class NoConnection(ReadGuard? guard) : IHttpConnectionFeature
    {
        private string _id = Guid.CreateVersion7().ToString("n");
        private IPAddress? _remote;

        public string ConnectionId
        {
            get => _id;
            set => _id = value;
        }

        public IPAddress? RemoteIpAddress
        {
            get
            {
                guard?.ReadConnection();
                return _remote;
            }
            set => _remote = value;
        }

        public IPAddress? LocalIpAddress { get; set; }

        public int RemotePort { get; set; }

        public int LocalPort { get; set; }
    }
}

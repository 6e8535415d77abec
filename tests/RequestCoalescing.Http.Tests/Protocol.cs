using System.Net;
using System.Net.Quic;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace RequestCoalescing.Http.Tests;

/// <summary>Lets the servers and the clients of tests speak a version of HTTP. HTTP/3 has a certificate, because QUIC has no plain text.</summary>
internal static class Protocol
{
    private static readonly Lazy<X509Certificate2> s_certificate = new(MakeCertificate);

    /// <summary>Skips the test if this machine cannot speak the version.</summary>
    public static void SkipUnlessSupported(HttpProtocols protocol) =>
        Assert.SkipUnless(protocol != HttpProtocols.Http3 || (OperatingSystem.IsLinux() && QuicListener.IsSupported), "HTTP/3 needs the library msquic.");

    public static void Listen(this KestrelServerOptions kestrel, HttpProtocols protocol) => kestrel.Listen(IPAddress.Loopback, 0, listen =>
    {
        listen.Protocols = protocol;
        if (protocol == HttpProtocols.Http3) listen.UseHttps(s_certificate.Value);
    });

    public static SocketsHttpHandler NewHandler() => new()
    {
        UseCookies = false,
        MaxConnectionsPerServer = 1_000,
        SslOptions = { RemoteCertificateValidationCallback = static (_, certificate, _, _) => s_certificate.Value.Equals(certificate) },
    };

    public static Version VersionOf(HttpProtocols protocol) => protocol switch
    {
        HttpProtocols.Http3 => HttpVersion.Version30,
        HttpProtocols.Http2 => HttpVersion.Version20,
        _ => HttpVersion.Version11,
    };

    private static X509Certificate2 MakeCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), password: null); // with a key that TLS can use on every system
    }
}

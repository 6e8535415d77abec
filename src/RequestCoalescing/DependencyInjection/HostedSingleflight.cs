namespace RequestCoalescing.DependencyInjection;

/// <summary>As <see cref="HostedSingleflight{TKey}"/>, for keys that are strings.</summary>
internal sealed class HostedSingleflight(HostedParts<string> parts) : HostedSingleflight<string>(parts), ISingleflight
{
    public static ISingleflight<TKey> Create<TKey>(HostedParts<TKey> parts)
        where TKey : notnull =>
        parts is HostedParts<string> ofStrings ? (ISingleflight<TKey>)(object)new HostedSingleflight(ofStrings) : new HostedSingleflight<TKey>(parts);
}

namespace ViralPost.Load;

/// <summary>Which posts the requests are for.</summary>
internal sealed record Scenario(string Name, int Posts)
{
    public static Scenario Same { get; } = new("same", 1);

    public static Scenario Spread(int posts) => new("spread", posts);

    public long PostOf(int request) => 1 + (request % Posts);
}

namespace RequestCoalescing.Analyzers.Tests.Generators;

/// <summary>
/// Compares generated code with the files in <c>Expected</c>. To accept the code that the generator writes now, run the tests with <c>ACCEPT_GENERATED=1</c> in the
/// environment, and look at the difference.
/// </summary>
public sealed class SnapshotTests
{
    [Fact]
    public void A_key() => Expect("PostKey", """
        namespace Blog;

        [CoalescingKey]
        public readonly partial record struct PostKey(string Id, int? Limit, DayOfWeek Day);
        """);

    [Fact]
    public void A_key_with_times_in_another_type() => Expect("TimesKey", """
        namespace Blog
        {
            public static partial class Keys
            {
                public partial record struct Group
                {
                    [CoalescingKey(Name = "times:v2")]
                    public partial record struct TimesKey(DateTime A, DateTime? B, DateTimeOffset C, DateTimeOffset? D, InnerKey E, InnerKey? F);
                }
            }

            [CoalescingKey]
            public partial record struct InnerKey(string Id);
        }
        """, file: "Blog.Keys.Group.TimesKey.g.cs");

    [Fact]
    public void A_method() => Expect("GetPostAsync", """
        namespace Blog;

        public sealed partial class PostService
        {
            [Coalesce]
            public partial Task<string> GetPostAsync(string id, int limit, [NotInKey("for the log")] object caller, CancellationToken cancellationToken);

            private Task<string> GetPostCoreAsync(string id, int limit, object caller, CancellationToken flight) => Task.FromResult(id);
        }
        """);

    [Fact]
    public void A_static_method_without_parameters_and_without_a_result() => Expect("WarmAsync", """
        internal partial class Caches
        {
            [Coalesce]
            internal static partial ValueTask WarmAsync();

            private static Task WarmCoreAsync(FlightContext flight) => Task.CompletedTask;
        }
        """);

    [Fact]
    public void A_method_with_an_engine_of_its_class() => Expect("GetPageAsync", """
        namespace Blog;

        [CoalescingKey]
        public partial record struct PageKey(string Id, int Page);

        public partial class PageService(ISingleflight<PageKey> pages)
        {
            [Coalesce(Engine = nameof(pages))]
            public partial ValueTask<string> GetPageAsync(int page, string id, CancellationToken cancellationToken);

            private ValueTask<string> GetPageCoreAsync(int page, string id, CancellationToken flight) => new(id);
        }
        """, file: "Blog.PageService.GetPageAsync.g.cs");

    [Fact]
    public void An_interface() => Expect("IPosts", """
        namespace Blog;

        public interface IPosts
        {
            event EventHandler Changed;

            string Name { get; set; }

            [Coalesce]
            Task<string> GetPostAsync(string id, int limit, CancellationToken cancellationToken);

            Task SaveAsync<T>(T post, CancellationToken cancellationToken) where T : class;
        }
        """);

    private static void Expect(string name, string source, string? file = null)
    {
        var generated = Run.Generate(source);
        var actual = (file is null ? Assert.Single(generated) : generated.Single(candidate => candidate.HintName == file)).SourceText.ToString();
        var path = Path.Combine(Folder(), $"{name}.txt");
        if (Environment.GetEnvironmentVariable("ACCEPT_GENERATED") == "1") File.WriteAllText(path, actual);
        Assert.Equal(File.Exists(path) ? File.ReadAllText(path) : "no file yet", actual);
        Assert.DoesNotContain(actual.Split('\n'), line => line.EndsWith(' '));
    }

    private static string Folder()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "RequestCoalescing.slnx"))) return Path.Combine(folder, "tests", "RequestCoalescing.Analyzers.Tests", "Generators", "Expected");
        }

        throw new InvalidOperationException("The repository's root was not found.");
    }
}

using RequestCoalescing.CodeFixes.Rules;
using Rule = RequestCoalescing.Analyzers.Tests.Verify<RequestCoalescing.Analyzers.Rules.ResultIsChanged.ResultIsChangedAnalyzer>;

namespace RequestCoalescing.Analyzers.Tests.Rules;

/// <summary>RC008 finds callers that change a shared result, and leaves those alone that read it or change a copy.</summary>
public sealed class ResultIsChangedTests
{
    [Theory]
    [InlineData("List<Post>", "[|result.Add(new Post())|];")]
    [InlineData("List<Post>", "[|result.Sort((one, other) => one.Likes - other.Likes)|];")]
    [InlineData("List<Post>", "[|result.Reverse()|];")]
    [InlineData("IList<Post>", "[|result.RemoveAt(0)|];")]
    [InlineData("List<Post>", "[|result[0] = new Post()|];")]
    [InlineData("Post[]", "[|result[0] = new Post()|];")]
    [InlineData("int[]", "[|result[0]++|];")]
    [InlineData("int[]", "[|Array.Sort(result)|];")]
    [InlineData("Dictionary<string, int>", "[|result[id] = 5|];")]
    [InlineData("Dictionary<string, int>", "[|result.Remove(id)|];")]
    [InlineData("HashSet<string>", "[|result.UnionWith([id])|];")]
    [InlineData("Post", "[|result.Likes = 5|];")]
    [InlineData("Post", "[|result.Likes++|];")]
    [InlineData("Post", "[|result.Likes += 5|];")]
    [InlineData("Post", "[|result.Name ??= id|];")]
    [InlineData("Post", "[|result.Field = 5|];")]
    [InlineData("Post", "[|result.Tags.Add(id)|];")]
    [InlineData("Post", "[|result.Author.Name = id|];")]
    [InlineData("Post?", "if (result is not null) [|result.Likes = 5|];")]
    [InlineData("List<string>?", "result?[|.Add(id)|];")]
    [InlineData("List<Post>", "[|result[0].Likes = 5|];")]
    [InlineData("List<Post>", "foreach (var post in result) [|post.Likes = 5|];")]
    [InlineData("Post[]", "foreach (var post in result) { Console.WriteLine(post.Name); [|post.Tags.Clear()|]; }")]
    [InlineData("IReadOnlyList<Post>", "foreach (var post in result) [|post.Likes = 5|];")]
    [InlineData("List<Post>", "new[] { 1 }.ToList().ForEach(each => [|result.Add(new Post())|]);")]
    [InlineData("System.Text.StringBuilder", "[|result.Append(id)|];")]
    public Task A_change_of_the_result_is_found(string type, string change) => Rule.FindsAsync(InClass(type, "var result = await _posts.ExecuteAsync(id, flight => LoadAsync(flight)); " + change));

    [Theory]
    [InlineData("List<Post>", "[|(await _posts.ExecuteAsync(id, flight => LoadAsync(flight))).Add(new Post())|];")]
    [InlineData("Post", "[|(await _posts.ExecuteAsync(id, flight => LoadAsync(flight)).ConfigureAwait(false)).Likes = 5|];")]
    [InlineData("List<Post>", "foreach (var post in await _posts.ExecuteAsync(id, flight => LoadAsync(flight))) [|post.Likes++|];")]
    public Task A_change_where_it_is_awaited_is_found(string type, string body) => Rule.FindsAsync(InClass(type, body));

    [Theory]
    [InlineData("List<Post>", "var copy = result.ToList(); copy.Sort((one, other) => one.Likes - other.Likes);")]
    [InlineData("List<Post>", "result = [.. result]; result.Add(new Post());")]
    [InlineData("List<Post>", "Console.WriteLine(result.Count + result[0].Likes);")]
    [InlineData("List<Post>", "Console.WriteLine(result.Contains(new Post()) || Enumerable.Reverse(result).Any());")]
    [InlineData("List<int>", "foreach (var likes in result) { var more = likes; more++; }")]
    [InlineData("List<(int Likes, string Name)>", "foreach (var post in result) { var copy = post; copy.Likes = 5; }")]
    [InlineData("System.Collections.Immutable.ImmutableList<int>", "var more = result.Add(5);")]
    [InlineData("System.Collections.Concurrent.ConcurrentDictionary<string, int>", "result.TryAdd(id, 5);")]
    [InlineData("Score", "result.Likes = 5;")]
    [InlineData("(int Likes, string Name)", "result.Likes = 5;")]
    [InlineData("string", "result = result.Insert(0, id); Console.WriteLine(result);")]
    [InlineData("Fresh", "result.Copy.Add(id);")]
    [InlineData("Own", "result.Add(id);")]
    [InlineData("Page", "var next = result with { Number = 2 }; Console.WriteLine(next);")]
    [InlineData("IEnumerable<Post>", "foreach (var post in result) post.Likes = 5;")]
    [InlineData("Post", "var copy = new Post { Likes = result.Likes }; copy.Likes++;")]
    [InlineData("Post", "_last.Likes = result.Likes;")]
    public Task A_caller_that_reads_or_copies_is_left_alone(string type, string use) => Rule.NoneAsync(InClass(type, "var result = await _posts.ExecuteAsync(id, flight => LoadAsync(flight)); " + use));

    [Theory]
    [InlineData("List<Post>", "var result = (await _posts.ExecuteAsync(id, flight => LoadAsync(flight))).ToList(); result.Add(new Post());")]
    [InlineData("List<Post>", "await _posts.ExecuteAsync(id, async flight => { var result = await LoadAsync(flight); result.Add(new Post()); return result; });")]
    [InlineData("List<Post>", "var result = await LoadAsync(default); result.Add(new Post());")]
    public Task A_change_of_something_else_is_left_alone(string type, string body) => Rule.NoneAsync(InClass(type, body));

    [Theory]
    [InlineData("List<Post>", "var result = await _posts.ExecuteAsync(id, flight => LoadAsync(flight)); [|result.Add(new Post())|];", "List<Post> result = [.. await _posts.ExecuteAsync(id, flight => LoadAsync(flight))]; result.Add(new Post());")]
    [InlineData("int[]", "var result = await _posts.ExecuteAsync(id, flight => LoadAsync(flight)); [|Array.Sort(result)|];", "int[] result = [.. await _posts.ExecuteAsync(id, flight => LoadAsync(flight))]; Array.Sort(result);")]
    public Task The_fix_changes_a_copy(string type, string before, string after) => Rule.FixesAsync<CopyOfResultFix>(InClass(type, before), InClass(type, after));

    [Theory]
    [InlineData("List<Post>", "var result = await _posts.ExecuteAsync(id, flight => LoadAsync(flight)); [|result[0].Likes = 5|];")]
    [InlineData("Post", "var result = await _posts.ExecuteAsync(id, flight => LoadAsync(flight)); [|result.Likes = 5|];")]
    public Task No_copy_is_offered_where_it_would_share_the_changed_object(string type, string body) => Rule.FixesAsync<CopyOfResultFix>(InClass(type, body), InClass(type, body));

    private static string InClass(string type, string body) =>
        $$"""
        public class Author
        {
            public string? Name { get; set; }
        }

        public class Post
        {
            public int Field;

            public int Likes { get; set; }

            public string? Name { get; set; }

            public List<string> Tags { get; } = new();

            public Author Author { get; set; } = new();
        }

        public struct Score
        {
            public int Likes;
        }

        public record Page(int Number);

        public class Own
        {
            public Own Add(string id) => this;
        }

        public class Fresh
        {
            public List<string> Copy => new();
        }

        public class Service(ISingleflight<string> _posts)
        {
            private readonly Post _last = new();

            public async Task GetAsync(string id)
            {
                {{body}}
            }

            private static Task<{{type}}> LoadAsync(CancellationToken flight) => throw new Exception();
        }
        """;
}

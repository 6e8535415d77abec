using RequestCoalescing.CodeFixes.Rules;
using Rule = RequestCoalescing.Analyzers.Tests.Verify<RequestCoalescing.Analyzers.Rules.ValueTaskMisuse.ValueTaskMisuseAnalyzer>;

namespace RequestCoalescing.Analyzers.Tests.Rules;

/// <summary>RC006 finds a <c>ValueTask</c> that is used twice, kept, or read too early, and leaves careful code alone.</summary>
public sealed class ValueTaskMisuseTests
{
    [Theory]
    [InlineData("return {|#0:_posts.ExecuteAsync(id, LoadAsync).Result|};")]
    [InlineData("return {|#0:_posts.ExecuteAsync(id, LoadAsync).GetAwaiter().GetResult()|};")]
    [InlineData("return {|#0:_posts.ExecuteAsync(id, LoadAsync).ConfigureAwait(false).GetAwaiter().GetResult()|};")]
    [InlineData("return {|#0:_posts.ExecuteAsync(id, flight => 5).Result|};")]
    [InlineData("_posts.ExecuteAsync(id, async flight => { await Task.Yield(); }).GetAwaiter().GetResult();", true)]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); return {|#0:post.Result|};")]
    [InlineData("ValueTask<int> post = _posts.ExecuteAsync(id, LoadAsync); return {|#0:post.GetAwaiter().GetResult()|};")]
    [InlineData("return {|#0:_posts.ExecuteInScopeAsync(id, (services, flight) => LoadAsync(flight)).Result|};")]
    public Task A_value_that_is_read_before_it_is_complete_is_found(string body, bool hasNoResult = false) =>
        Rule.FindsAsync(Sync(hasNoResult ? "[|" + body.TrimEnd(';') + "|]; return 1;" : body.Replace("{|#0:", "[|").Replace("|}", "|]")));

    [Theory]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); var one = await post; return one + await [|post|];")]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); await post.ConfigureAwait(false); return await [|post|].ConfigureAwait(false);")]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); return (await Task.WhenAll(post.AsTask(), [|post|].AsTask())).Sum();")]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); if (id == \"a\") await post; return await [|post|];")]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); var sum = 0; for (var i = 0; i < 2; i++) sum += await [|post|]; return sum;")]
    [InlineData("ValueTask<int> post; post = _posts.ExecuteAsync(id, LoadAsync); await post; return await [|post|];")]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); if (!post.IsCompleted) await post; return [|post|].Result;")]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); var length = id.Length > 2 ? await post : 0; return length + await [|post|];")]
    [InlineData("Func<Task<int>> load = async () => { var post = _posts.ExecuteAsync(id, LoadAsync); await post; return await [|post|]; }; return await load();")]
    [InlineData("async Task<int> TwiceAsync() { var post = _posts.ExecuteAsync(id, LoadAsync); await post; return await [|post|]; } return await TwiceAsync();")]
    [InlineData("ValueTask<int> post; if (id == \"a\") post = _posts.ExecuteAsync(id, LoadAsync); else post = _posts.ExecuteAsync(id, LoadAsync); await post; return await [|post|];")]
    public Task A_second_use_is_found(string body) => Rule.FindsAsync(Async(body));

    [Theory]
    [InlineData("_pending = [|_posts.ExecuteAsync(id, LoadAsync)|]; return await _pending.Value;")]
    [InlineData("_pending ??= [|_posts.ExecuteAsync(id, LoadAsync)|]; return await _pending.Value;")]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); _pending = [|post|]; return 1;")]
    [InlineData("_all.Add([|_posts.ExecuteAsync(id, LoadAsync)|]); return 1;")]
    [InlineData("_byId[id] = [|_posts.ExecuteAsync(id, LoadAsync)|]; return 1;")]
    [InlineData("return await _byId.GetOrAdd(id, key => [|_posts.ExecuteAsync(key, LoadAsync)|]);")]
    [InlineData("return await _byId.GetOrAdd(id, [|_posts.ExecuteAsync(id, LoadAsync)|]);")]
    [InlineData("var lazy = new Lazy<ValueTask<int>>(() => [|_posts.ExecuteAsync(id, LoadAsync)|]); return await lazy.Value;")]
    [InlineData("return await _cache.Set(id, [|_posts.ExecuteAsync(id, LoadAsync)|]);")]
    [InlineData("return await _cache.GetOrCreate(id, entry => [|_posts.ExecuteAsync(id, LoadAsync)|]);")]
    public Task A_value_that_is_kept_is_found(string body) => Rule.FindsAsync(Async(body));

    [Theory]
    [InlineData("return await _posts.ExecuteAsync(id, LoadAsync);")]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); await Task.Yield(); return await post;")]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); return post.IsCompletedSuccessfully ? post.Result : await post;")]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); if (post.IsCompletedSuccessfully) return post.Result; return await post;")]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync).AsTask(); await post; return await post;")]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync).Preserve(); await post; return await post;")]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); await post; post = _posts.ExecuteAsync(id, LoadAsync); return await post;")]
    [InlineData("var sum = 0; for (var i = 0; i < 2; i++) { var post = _posts.ExecuteAsync(id, LoadAsync); sum += await post; } return sum;")]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); while (true) { if (id == \"a\") continue; return await post; }")]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); switch (id) { case \"a\": return await post; default: return -await post; }")]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); return id switch { \"a\" => await post, _ => -await post };")]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); if (id == \"a\") { await post; return 1; } await post; return 2;")]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); try { return await post; } catch (TimeoutException) { return 0; }")]
    [InlineData("ValueTask<int>[] both = [_posts.ExecuteAsync(id, LoadAsync), _posts.ExecuteAsync(id + 1, LoadAsync)]; var sum = 0; foreach (var one in both) sum += await one; return sum;")]
    [InlineData("var all = new List<ValueTask<int>>(); all.Add(_posts.ExecuteAsync(id, LoadAsync)); return await all[0];")]
    [InlineData("_task = _posts.ExecuteAsync(id, LoadAsync).AsTask(); await _task; return await _task;")]
    [InlineData("return await _tasks.GetOrAdd(id, key => _posts.ExecuteAsync(key, LoadAsync).AsTask());")]
    [InlineData("var lazy = new Lazy<Task<int>>(() => _posts.ExecuteAsync(id, LoadAsync).AsTask()); return await lazy.Value;")]
    [InlineData("return _posts.ExecuteAsync(id, LoadAsync).AsTask().GetAwaiter().GetResult();")]
    [InlineData("Func<ValueTask<int>> load = () => _posts.ExecuteAsync(id, LoadAsync); return await load() + await load();")]
    [InlineData("var value = OtherAsync(); await value; return await value;")]
    [InlineData("_pending = OtherAsync(); return OtherAsync().Result;")]
    public Task Careful_code_and_other_values_are_left_alone(string body) => Rule.NoneAsync(Async(body));

    [Fact]
    public Task A_method_may_return_the_value() => Rule.NoneAsync(
        """
        public class Posts(ISingleflight posts)
        {
            public ValueTask<int> GetAsync(string id) => posts.ExecuteAsync(id, flight => 5);

            public ValueTask<int> Get2Async(string id)
            {
                var value = posts.ExecuteAsync(id, flight => 5);
                return value;
            }

            public async ValueTask<int> Get3Async(string id) => await Get2Async(id) + await Get2Async(id);
        }
        """);

    [Theory]
    [InlineData("return [|_posts.ExecuteAsync(id, LoadAsync).Result|];", "return _posts.ExecuteAsync(id, LoadAsync).AsTask().Result;")]
    [InlineData("return [|_posts.ExecuteAsync(id, LoadAsync).GetAwaiter().GetResult()|];", "return _posts.ExecuteAsync(id, LoadAsync).AsTask().GetAwaiter().GetResult();")]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); await post; return await [|post|];", "var post = _posts.ExecuteAsync(id, LoadAsync).AsTask(); await post; return await post;")]
    [InlineData(
        "ValueTask<int> post = _posts.ExecuteAsync(id, LoadAsync); await post; return await [|post|].AsTask();",
        "Task<int> post = _posts.ExecuteAsync(id, LoadAsync).AsTask(); await post; return await post;")]
    [InlineData("_all.Add([|_posts.ExecuteAsync(id, LoadAsync)|]); return await _all[0];", "_all.Add(_posts.ExecuteAsync(id, LoadAsync).AsTask()); return await _all[0];", "List<Task<int>> _all")]
    [InlineData("_byId[id] = [|_posts.ExecuteAsync(id, LoadAsync)|]; return 1;", "_byId[id] = _posts.ExecuteAsync(id, LoadAsync).AsTask(); return 1;", "System.Collections.Concurrent.ConcurrentDictionary<string, Task<int>> _byId")]
    [InlineData("await _cache.Set(id, [|_posts.ExecuteAsync(id, LoadAsync)|]); return 1;", "await _cache.Set(id, _posts.ExecuteAsync(id, LoadAsync).AsTask()); return 1;")]
    public Task The_fix_gives_a_task(string before, string after, string member = "") => Rule.FixesAsync<ValueTaskFix>(
        Async(before), member.Length == 0 ? Async(after) : Async(after).Replace(member.Replace("Task<", "ValueTask<"), member));

    [Fact]
    public Task The_fix_changes_the_type_of_a_field() => Rule.FixesAsync<ValueTaskFix>(
        """
        public class Posts(ISingleflight posts)
        {
            private ValueTask<int>? _first;

            public async Task<int> FirstAsync() => await (_first ??= [|posts.ExecuteAsync("first", flight => 5)|]);
        }
        """,
        """
        public class Posts(ISingleflight posts)
        {
            private Task<int>? _first;

            public async Task<int> FirstAsync() => await (_first ??= posts.ExecuteAsync("first", flight => 5).AsTask());
        }
        """);

    [Theory]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); await post; await [|post|]; return await TakeAsync(post);")]
    [InlineData("Given = [|_posts.ExecuteAsync(id, LoadAsync)|]; return 1;")]
    public Task No_fix_is_offered_if_other_code_takes_the_value(string body) => Rule.FixesAsync<ValueTaskFix>(Async(body), Async(body));

    private static string Async(string body) => Class("public async Task<int> GetAsync(string id)", "await Task.Yield(); " + body);

    private static string Sync(string body) => Class("public int Get(string id)", body);

    private static string Class(string method, string body) =>
        $$"""
        public class Posts(IMemoryCache _cache)
        {
            private static readonly Singleflight _posts = new();
            private readonly List<ValueTask<int>> _all = new();
            private readonly System.Collections.Concurrent.ConcurrentDictionary<string, ValueTask<int>> _byId = new();
            private readonly System.Collections.Concurrent.ConcurrentDictionary<string, Task<int>> _tasks = new();
            private ValueTask<int>? _pending;
            private Task<int>? _task;

            public ValueTask<int> Given { get; set; }

            {{method}}
            {
                {{body}}
            }

            private static Task<int> LoadAsync(CancellationToken flight) => Task.FromResult(1);

            private static ValueTask<int> OtherAsync() => default;

            private static async Task<int> TakeAsync(ValueTask<int> value) => await value;
        }
        """;
}

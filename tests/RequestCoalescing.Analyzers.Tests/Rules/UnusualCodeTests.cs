namespace RequestCoalescing.Analyzers.Tests.Rules;

/// <summary>All rules together, on right code in unusual forms. A finding that is right is marked.</summary>
public sealed class UnusualCodeTests
{
    private const string Load = "static Task<int> LoadAsync(string id, int limit, CancellationToken token) => Task.FromResult(limit);";

    [Theory]
    [InlineData("_posts.ExecuteAsync((id, limit), static (flight) => Task.FromResult(1), ct)")]
    [InlineData("_posts.ExecuteAsync(_last = (id, limit), flight => LoadAsync(id, limit, flight), ct)")]
    [InlineData("_posts.ExecuteAsync(Kept(id, limit), flight => LoadAsync(id, limit, flight), ct)")]
    [InlineData("_posts.ExecuteAsync(id.With(limit), flight => LoadAsync(id, limit, flight), ct)")]
    [InlineData("_posts.ExecuteAsync((@class, @event), flight => LoadAsync(@class, @event, flight), ct)")]
    [InlineData("_posts.ExecuteAsync((first, second), flight => LoadAsync(first, second, flight), ct)")]
    [InlineData("_posts.ExecuteAsync((head, tail.Length), flight => LoadAsync(id + head, tail.Length, flight), ct)")]
    [InlineData("_posts.ExecuteAsync((text, number), flight => LoadAsync(text, number, flight), ct)")]
    [InlineData("_posts.ExecuteAsync((text, number), async flight => { await foreach (var one in EachAsync(number, flight)) return one; return 0; }, ct)")]
    [InlineData("_posts.ExecuteAsync((id, limit), flight => { again: if (limit < 0) goto again; return LoadAsync(id, limit, flight); }, ct)")]
    [InlineData("_posts.ExecuteAsync((id, limit), flight => limit switch { > 5 and var many => LoadAsync(id, many, flight), _ => LoadAsync(id, limit, flight) }, ct)")]
    [InlineData("_texts.ExecuteAsync(string.Join('|', [id, $\"{limit}\"]), flight => LoadAsync(id, limit, flight), ct)")]
    [InlineData("_posts.ExecuteAsync((id, written), flight => LoadAsync(id, limit, flight), ct)")]
    [InlineData("_texts.ExecuteAsync(created, flight => LoadAsync(id, limit, flight), ct)")]
    [InlineData("_texts.ExecuteAsync(_text, flight => LoadAsync(id, limit, flight), ct)")]
    [InlineData("_texts.ExecuteAsync(Text, flight => LoadAsync(id, limit, flight), ct)")]
    [InlineData("_pairs.ExecuteAsync((id, limit), flight => LoadAsync(id, limit, flight), ct)")]
    [InlineData("_pairs.ExecuteAsync((id, limit), state, static (state, flight) => LoadAsync(state.Id, state.Limit, flight), ct)")]
    [InlineData("_posts.ExecuteAsync((id, limit), (id, limit), static ((string Id, int Limit) state, FlightContext flight) => LoadAsync(state.Id, state.Limit, flight), ct)")]
    [InlineData("_posts.ExecuteAsync((id, limit), flight => Inner(flight), ct)")]
    [InlineData("_posts.ExecuteAsync((id, limit), Inner, ct)")]
    [InlineData("_texts.ExecuteAsync($\"{id}:{limit}\", flight => LoadAsync(id, limit, flight), ct)")]
    [InlineData("_texts.ExecuteAsync(string.Format(\"{0:yyyyMMdd}\", DateTime.UtcNow), flight => LoadAsync(\"\", 5, flight), ct)")]
    [InlineData("_texts.ExecuteAsync($\"{{|RC009:DateTime.UtcNow|}}\", flight => LoadAsync(\"\", 5, flight), ct)")]
    public Task Keys_and_works(string call) => Verify.AllFindAsync($$"""
        using Pair = (string Id, int Limit);

        file static class Keys
        {
            extension(string id)
            {
                public object With(int limit) => (id, limit);
            }
        }

        class C(int @event, CancellationToken stopping)
        {
            private readonly Singleflight<object> _posts = new();
            private readonly Singleflight _texts = new();
            private readonly Singleflight<Pair> _pairs = new();
            private object _last = "";
            private string _text = "";
            private string Text { get; set; } = "";

            object Kept(string id, int limit) => _last = (id, limit);

            void M(string id, int limit, string @class, object other, int[] list, (string, int) pair, CancellationToken ct)
            {
                var (first, second) = pair;
                if (id is not [var head, .. var tail]) return;
                if (other is not (string text, int number)) return;
                Span<char> buffer = stackalloc char[32];
                if (!limit.TryFormat(buffer, out _)) return;
                var written = buffer.ToString();
                var created = string.Create(9, (id, limit), static (span, state) => state.id.CopyTo(span));
                Pair state = (id, limit);
                _text = id + "\n";
                _text += limit;
                this.Text = string.Join('\n', id, limit);
                Task<int> Inner(CancellationToken flight) => LoadAsync(id, limit, flight);
                _ = {{call}};
                _ = _texts.ExecuteAsync("stopping", flight => LoadAsync("", 5, CancellationTokenSource.CreateLinkedTokenSource(flight, stopping).Token), ct);
            }

            static async IAsyncEnumerable<int> EachAsync(int limit, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken token) { await Task.Yield(); yield return limit; }

            {{Load}}
        }
        """);

    [Fact]
    public Task A_record_with_members_and_a_base() => Verify.AllFindAsync($$"""
        abstract record Base(string Tenant);
        sealed record Key<T>(string Tenant, T Id, int? Limit) : Base(Tenant) { public string Upper { get; init; } = Tenant.ToUpperInvariant(); }

        static class C<T> where T : notnull
        {
            private static readonly Singleflight<Base> s_posts = new();

            public static ValueTask<int> GetAsync(string tenant, T id, int? limit, CancellationToken ct) =>
                s_posts.ExecuteAsync(new Key<T>(tenant, id, limit), flight => LoadAsync(tenant + id, limit ?? 5, flight), ct);

            {{Load}}
        }
        """);

    [Theory]
    [InlineData("node.Value")]
    [InlineData("both.Limit")]
    [InlineData("Interlocked.Increment(ref limit)")]
    [InlineData("((limit, id) = (5, id)).Item1")]
    public Task Inputs_that_are_no_data_or_that_the_work_sets(string read) => Verify.AllFindAsync($$"""
        record Node(int Value, Node? Next);

        class C
        {
            private readonly Singleflight _posts = new();

            ValueTask<int> GetAsync(string id, int limit, Node node, (IMemoryCache Cache, int Limit) both, CancellationToken ct) =>
                _posts.ExecuteAsync(id, flight => LoadAsync(id, {{read}}, flight), ct);

            {{Load}}
        }
        """);

    [Theory]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); post = post.Preserve(); await post; return await post;")]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); again: if (id == \"\") goto again; return await post;")]
    [InlineData("again: var post = _posts.ExecuteAsync(id, LoadAsync); if (await post > 5) goto again; return 5;")]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); try { return await post; } catch (InvalidOperationException) { return 5; } finally { id = \"\"; }")]
    [InlineData("var post = _posts.ExecuteAsync(id, LoadAsync); return id switch { \"a\" => await post, _ when id.Length > 5 => await post, _ => 0 };")]
    [InlineData("var (one, two) = (_posts.ExecuteAsync(id, LoadAsync), _posts.ExecuteAsync(id + \"2\", LoadAsync)); return await one + await two;")]
    [InlineData("Task<int>[] all = [_posts.ExecuteAsync(id, LoadAsync).AsTask()]; await Task.WhenAll(all); return await all[0];")]
    [InlineData("return _posts.ExecuteAsync(id, LoadAsync) is { IsCompletedSuccessfully: true } post ? post.Result : 0;")]
    public Task Values_of_calls(string body) => Verify.AllFindAsync($$"""
        class C
        {
            private readonly Singleflight _posts = new();

            async Task<int> M(string id) { await Task.Yield(); {{body}} }

            static Task<int> LoadAsync(CancellationToken token) => Task.FromResult(5);
        }
        """);

    [Theory]
    [InlineData("var copy = (await _posts.ExecuteAsync(id, LoadAsync)).ToList(); copy.Add(5);")]
    [InlineData("List<int> copy = [.. await _posts.ExecuteAsync(id, LoadAsync)]; copy.Clear();")]
    [InlineData("var list = await _posts.ExecuteAsync(id, LoadAsync); list = [.. list]; list.Add(5);")]
    [InlineData("var sum = (await _posts.ExecuteAsync(id, LoadAsync)).Append(5).Reverse().Sum();")]
    [InlineData("if (await _posts.ExecuteAsync(id, LoadAsync) is [var first, ..]) first++;")]
    [InlineData("var list = (await _posts.ExecuteAsync(id, LoadAsync))?.ToArray(); if (list is not null) list[0] = 5;")]
    public Task Copies_of_results(string body) => Verify.AllFindAsync($$"""
        class C
        {
            private readonly Singleflight _posts = new();

            async Task M(string id) { {{body}} }

            static Task<List<int>> LoadAsync(CancellationToken token) => Task.FromResult(new List<int>());
        }
        """);

    [Theory]
    [InlineData("await _posts.ExecuteAsync(id, async (FlightContext flight) => { var entry = new Entry { Flight = flight }; var result = await LoadAsync(flight); return entry.IsCurrent ? memory.Set(id, result) : result; }, ct);")]
    [InlineData("await _posts.ExecuteAsync(id, async (FlightContext flight) => { var result = await LoadAsync(flight); if (flight is { IsCurrent: true }) memory.Set(id, result); return result; }, ct);")]
    [InlineData("await _posts.ExecuteAsync(id, async (FlightContext flight) => { Func<bool> look = () => flight.IsCurrent; var result = await LoadAsync(flight); if (look()) memory.Set(id, result); return result; }, ct);")]
    [InlineData("await _posts.ExecuteAsync(id, async (FlightContext flight) => { (FlightContext Flight, int Value) pair = (flight, await LoadAsync(flight)); return pair.Flight.IsCurrent ? memory.Set(id, pair.Value) : 0; }, ct);")]
    [InlineData("await _posts.ExecuteInScopeAsync(id, async (services, flight) => await LoadAsync(services.GetRequiredKeyedService<Db>(\"posts\"), flight), ct);")]
    [InlineData("await _posts.ExecuteAsync(id, flight => OverridableAsync(), ct);")]
    [InlineData("await _posts.ExecuteAsync(id, flight => _posts.ExecuteAsync(id + 2, async inner => { await System.IO.File.{|RC004:WriteAllTextAsync|}(\"a\", \"b\", inner); return 5; }, flight).AsTask(), ct);")]
    [InlineData("await _posts.ExecuteAsync(id, flight => new OwnStore().{|RC004:StoreAsync|}(flight), ct);")]
    [InlineData("await _posts.ExecuteAsync(id, async flight => { command.CommandText = \"SELECT 1\"; command.CommandText = \"TRUNCATE x\"; return await command.{|RC004:ExecuteNonQueryAsync|}(flight); }, ct);")]
    [InlineData("Db? last; var text = \"\"; await _posts.ExecuteAsync(id, flight => { (last, text) = (null, \"\"); last = null; return LoadAsync(flight); }, ct);")]
    [InlineData("await using var db = new Db(); await db.SaveChangesAsync(ct); await _posts.ExecuteAsync(id, flight => LoadAsync(flight), ct);")]
    [InlineData("await _posts.ExecuteAsync(id, async flight => { await using var db = new Db(); return await LoadAsync(db, flight); }, ct);")]
    [InlineData("await _posts.ExecuteAsync(id, flight => LoadAsync(flight, sql: \"SELECT 'UPDATE x SET y'\"), ct);")]
    public Task Works_and_their_services(string body) => Verify.AllFindAsync($$"""
        class Db : DbContext;

        class Entry
        {
            public FlightContext? Flight { get; init; }

            public bool IsCurrent => Flight?.IsCurrent == true;
        }

        class Store
        {
            [SideEffects] public virtual Task<int> StoreAsync(CancellationToken token) => Task.FromResult(5);
        }

        class OwnStore : Store
        {
            public override Task<int> StoreAsync(CancellationToken token) => Task.FromResult(6);
        }

        class C([FromKeyedServices("posts")] ISingleflight _posts, IMemoryCache memory)
        {
            async Task M(string id, System.Data.Common.DbCommand command, CancellationToken ct) { {{body}} }

            static Task<int> LoadAsync(CancellationToken token, string sql = "") => Task.FromResult(5);

            protected virtual async Task<int> OverridableAsync() { await System.IO.File.WriteAllTextAsync("a", "b"); return 5; }

            static Task<int> LoadAsync(Db db, CancellationToken token) => Task.FromResult(5);
        }
        """);

    [Fact]
    public Task A_top_level_program() => Verify.AllFindAsync(
        """
        var posts = new Singleflight();
        var (id, limit) = (args[0], args.Length);
        await using var scope = new Scope();
        Console.WriteLine(await posts.ExecuteAsync($"{limit}/{id}", LoadAsync));
        Console.WriteLine(await posts.ExecuteAsync($"{limit}/{id}", async flight => { await Task.Delay(1, flight); return limit; }));

        Task<int> LoadAsync(CancellationToken token) => Task.FromResult(limit);

        ref struct Buffer { public Span<char> Text; }

        file partial class Scope : IAsyncDisposable
        {
            public ValueTask DisposeAsync() => default;
        }
        """,
        isProgram: true);
}

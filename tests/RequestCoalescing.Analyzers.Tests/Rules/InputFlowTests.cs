using Rule = RequestCoalescing.Analyzers.Tests.Verify<RequestCoalescing.Analyzers.Rules.KeyLacksInput.KeyLacksInputAnalyzer>;

namespace RequestCoalescing.Analyzers.Tests.Rules;

/// <summary>RC002 follows values through the statements of a method, and through the parts of an input.</summary>
public sealed class InputFlowTests
{
    [Theory]
    [InlineData("var first = id; _ = _posts.ExecuteAsync(first, flight => { first = $\"{[|limit|]}\"; return LoadAsync(first, 5, flight); });")]
    [InlineData("var (first, second) = (id, limit); _ = _posts.ExecuteAsync(first + 5, flight => LoadAsync(id, [|limit|], flight));")]
    [InlineData("if (query is { Limit: var number }) _ = _posts.ExecuteAsync(id, flight => LoadAsync(id, [|number|], flight));")]
    [InlineData("if (query is { } whole) _ = _posts.ExecuteAsync(id, flight => LoadAsync(id, [|whole.Limit|], flight));")]
    [InlineData("switch (query.Limit) { case > 5 and var number: _ = _posts.ExecuteAsync(id, flight => LoadAsync(id, [|number|], flight)); break; }")]
    [InlineData("_ = query.Limit switch { > 5 and var number => _posts.ExecuteAsync(id, flight => LoadAsync(id, [|number|], flight)), _ => default };")]
    [InlineData("foreach (var one in query.Ids) _ = _posts.ExecuteAsync(id, flight => LoadAsync(id, [|one|], flight));")]
    [InlineData("var wanted = Request.Query[\"page\"].Count; _ = _posts.ExecuteAsync(id, flight => LoadAsync(id, [|wanted|], flight));")]
    [InlineData("var request = Request; var wanted = request.Query[\"page\"].Count; _ = _posts.ExecuteAsync(id, flight => LoadAsync(id, [|wanted|], flight));")]
    [InlineData("var many = new System.IO.DirectoryInfo(id).EnumerateFiles().Where(file => file.Length > limit); _ = _posts.ExecuteAsync(id, flight => LoadAsync(id, [|many|].Count(), flight));")]
    [InlineData("var message = new System.Net.Http.HttpRequestMessage(System.Net.Http.HttpMethod.Get, $\"/{limit}\"); _ = _posts.ExecuteAsync(id, flight => SendAsync([|message|]));")]
    [InlineData("var text = new System.Text.StringBuilder($\"/{limit}\"); _ = _posts.ExecuteAsync(id, flight => LoadAsync([|text|].ToString(), 5, flight));")]
    public Task A_local_has_the_inputs_that_it_is_made_of(string body) => Rule.FindsAsync(InClass(body));

    [Theory]
    [InlineData("var parts = new List<string> { id }; Trace.WriteLine(parts, $\"{limit}\"); _ = _posts.ExecuteAsync(string.Join(':', parts), flight => LoadAsync(id, [|limit|], flight));")]
    [InlineData("var parts = new List<string> { id }; var count = Count(parts, limit); _ = _posts.ExecuteAsync(string.Join(':', parts), flight => LoadAsync(id, [|limit|], flight));")]
    [InlineData("var first = id; _ = first.IndexOf($\"{limit}\"); _ = _posts.ExecuteAsync(first, flight => LoadAsync(id, [|limit|], flight));")]
    [InlineData("var first = id; Use(first, limit); _ = _posts.ExecuteAsync(first, flight => LoadAsync(id, [|limit|], flight));")]
    [InlineData("var made = new Person { Name = id }; Use(made.Name, limit); _ = _posts.ExecuteAsync(made.Name, flight => LoadAsync(id, [|limit|], flight));")]
    [InlineData("var day = DayOfWeek.Friday; Use(day, limit); _ = _posts.ExecuteAsync($\"{day}\", flight => LoadAsync(\"\", [|limit|], flight));")]
    [InlineData("var name = () => id; Use(name, limit); _ = _posts.ExecuteAsync(name(), flight => LoadAsync(id, [|limit|], flight));")]
    [InlineData("_ = EngineFor(5).ExecuteAsync(id, flight => LoadAsync(id, [|_page|], flight));")]
    [InlineData("_ = _posts.ExecuteAsync(nameof(limit) + id, flight => LoadAsync(id, [|limit|], flight));")]
    [InlineData("_ = _posts.ExecuteAsync(_region + id, flight => LoadAsync(id, [|_page|], flight));")]
    [InlineData("_ = _objects.ExecuteAsync((id, new C { _page = 5 }), flight => LoadAsync(id, [|_page|], flight));")]
    [InlineData("_ = _objects.ExecuteAsync((id, new C { Width = 5 }), flight => LoadAsync(id, [|Width|], flight));")]
    [InlineData("_ = _objects.ExecuteAsync(new { id }, flight => LoadAsync(id, [|_page|], flight));")]
    [InlineData("_ = _posts.ExecuteAsync(Request.Path.Value!, flight => LoadAsync(\"\", [|_page|], flight));")]
    public Task Code_that_only_names_or_passes_a_value_adds_nothing_to_the_key(string body) => Rule.FindsAsync(InClass(body));

    [Theory]
    [InlineData("var (first, second) = (id, limit); _ = _objects.ExecuteAsync((first, second), flight => LoadAsync(id, limit, flight));")]
    [InlineData("(var first, var second) = (id, limit); _ = _objects.ExecuteAsync((first, second), flight => LoadAsync(id, limit, flight));")]
    [InlineData("var text = id; Fill(ref text, limit); _ = _posts.ExecuteAsync(text, flight => LoadAsync(id, limit, flight));")]
    [InlineData("var box = new Box(); box.Person.Age = limit; _ = _objects.ExecuteAsync(box, flight => LoadAsync(\"\", limit, flight));")]
    [InlineData("var parts = new string[2]; parts[0] = id; parts[1] = $\"{limit}\"; _ = _posts.ExecuteAsync(string.Join(':', parts), flight => LoadAsync(id, limit, flight));")]
    [InlineData("string text; switch (limit) { case 5: text = \"five\"; break; default: text = \"other\"; break; } _ = _posts.ExecuteAsync(text, flight => LoadAsync(\"\", limit, flight));")]
    [InlineData("var text = \"\"; while (text.Length < limit) text += 'x'; _ = _posts.ExecuteAsync(text, flight => LoadAsync(\"\", limit, flight));")]
    [InlineData("var text = \"\"; for (var index = 0; index < limit; index++) text += 'x'; _ = _posts.ExecuteAsync(text, flight => LoadAsync(\"\", limit, flight));")]
    [InlineData("var text = \"\"; foreach (var one in query.Ids) text += 'x'; _ = _posts.ExecuteAsync(text, flight => LoadAsync(\"\", query.Ids.Length, flight));")]
    [InlineData("string With(string one) => one + limit; _ = _posts.ExecuteAsync(string.Join(':', new[] { id }.Select(With)), flight => LoadAsync(id, limit, flight));")]
    [InlineData("string With<T>() => $\"{id}:{limit}\"; _ = _posts.ExecuteAsync(With<int>(), flight => LoadAsync(id, limit, flight));")]
    public Task The_key_is_made_of_all_that_decides_about_it(string body) => Rule.NoneAsync(InClass(body));

    [Theory]
    [InlineData("var made = new Person(); made.Age = limit; _ = _posts.ExecuteAsync(id, flight => LoadAsync(made.Name, 5, flight));")]
    [InlineData("var made = new Person(); made.Age = limit; _ = _posts.ExecuteAsync(id, flight => LoadAsync(id, made.Age, flight));")]
    [InlineData("var made = 5; if (limit > 10) made = 6; _ = _posts.ExecuteAsync(id, flight => LoadAsync(id, made, flight));")]
    [InlineData("var made = new System.IO.MemoryStream(limit); _ = _posts.ExecuteAsync(id, flight => LoadAsync(id, made.ReadByte(), flight));")]
    [InlineData("var made = new System.IO.MemoryStream(limit); var first = id; _ = _posts.ExecuteAsync(id, first, (state, flight) => LoadAsync(state, made.ReadByte(), flight));")]
    [InlineData("var number = limit; _ = _posts.ExecuteAsync(id, flight => { number = 5; return LoadAsync(id, number, flight); });")]
    [InlineData("_page = limit; _ = _posts.ExecuteAsync(id, flight => { _page = 5; return LoadAsync(id, _page, flight); });")]
    [InlineData("if (_page != 5) return; _ = _posts.ExecuteAsync(id, flight => LoadAsync(id, _page, flight));")]
    [InlineData("var made = 5; if (limit > 10) made = 6; var twice = made * 2; _ = _posts.ExecuteAsync(id, flight => LoadAsync(id, twice, flight));")]
    [InlineData("var timeout = limit * 2; _ = _posts.ExecuteAsync(id, flight => LoadAsync(id, timeout, flight));")]
    [InlineData("var many = limit > 10; if (!many) return; _ = _posts.ExecuteAsync(id, flight => LoadAsync(id, many ? 5 : 6, flight));")]
    [InlineData("void Inner(out int count) { count = 5; var twice = count * 2; _ = _posts.ExecuteAsync(id, flight => LoadAsync(id, twice, flight)); } Inner(out _);")]
    public Task A_local_without_a_certain_effect_on_the_result_is_left_alone(string body) => Rule.NoneAsync(InClass(body));

    [Theory]
    [InlineData("id", "[|query.Ids|].Length")]
    [InlineData("query.Id", "[|query.Ids|].Length")]
    [InlineData("id", "[|maybe|] ?? maybe.Value")]
    [InlineData("pair.Id", "[|pair.Limit|]")]
    [InlineData("given.Id", "[|((FullQuery)given).Limit|]")]
    [InlineData("perhaps?.Id", "[|perhaps?.Limit|] ?? 5")]
    [InlineData("perhaps?.Id", "[|perhaps?.Page?.Size|] ?? 5")]
    [InlineData("perhaps?.Limit ?? 5", "([|perhaps?.Ids?.ToString()|])!.Length")]
    [InlineData("perhaps?.Limit ?? 5", "[|(perhaps?.Page)!.Size|]")]
    [InlineData("perhaps?.Limit ?? 5", "[|perhaps?.Page.ToString().Length|] ?? 5")]
    [InlineData("id", "((Page)[|order|]).Size")]
    [InlineData("id", "[|order|][5, 6]")]
    [InlineData("limit", "[|order|][limit]")]
    [InlineData("id", "[|perhaps|]?.ToString()?.Length ?? 5")]
    [InlineData("id", "id.Length + [|given|]?.ToString().Length ?? 5")]
    public Task A_part_that_the_key_lacks_is_found(string key, string read) => Rule.FindsAsync(InClass($"_ = _posts.ExecuteAsync($\"{{{key}}}\", flight => LoadAsync(\"\", {read}, flight));"));

    [Theory]
    [InlineData("query.Page", "query.Page.Size")]
    [InlineData("query.Page.Size", "Size(query.Page)")]
    [InlineData("perhaps?.Page.Size ?? 5", "perhaps!.Page.Size")]
    [InlineData("maybe!.Value", "maybe ?? 5")]
    [InlineData("Request.Query", "Request.Query[\"page\"].Count")]
    public Task A_part_that_the_key_contains_in_whole_or_in_part_is_left_alone(string key, string read) => Rule.NoneAsync(InClass($"_ = _posts.ExecuteAsync($\"{{{key}}}\", flight => LoadAsync(\"\", {read}, flight));"));

    private static string InClass(string body) =>
        $$"""
        record Page(int Size);
        record BaseQuery(string Id);
        record Order(int Size)
        {
            public int this[int index] => index;
            public int this[int row, int column] => row + column;
            public static explicit operator Page(Order order) => new(order.Size);
        }
        record FullQuery(string Id, int Limit) : BaseQuery(Id);
        record PostQuery(string Id, int Limit, int[] Ids, Page Page);
        class Person { public string Name { get; set; } = ""; public int Age { get; set; } }
        class Box { public Person Person { get; } = new(); }

        class C : Microsoft.AspNetCore.Mvc.ControllerBase
        {
            private readonly Singleflight _posts = new();
            private readonly Singleflight<object> _objects = new();
            private string _region = "";
            private int _page;

            public int Width { get; set; }

            void SetPage(int page) => _page = page;
            void SetWidth(int width) => Width = width;

            void M(string id, int limit, int? maybe, (string Id, int Limit) pair, PostQuery query, PostQuery? perhaps, BaseQuery given, Order order)
            {
                {{body}}
            }

            Singleflight EngineFor(int number) => _posts;
            static void Fill(ref string text, int limit) => text += limit;
            static void Use(object value, int limit) { }
            static int Count(List<string> parts, int limit) => limit;
            static int Size(Page page) => page.Size;
            static Task<int> SendAsync(System.Net.Http.HttpRequestMessage message) => Task.FromResult(5);
            static Task<int> LoadAsync(string id, int limit, CancellationToken token) => Task.FromResult(limit);
        }
        """;
}

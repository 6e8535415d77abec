using Rule = RequestCoalescing.Analyzers.Tests.Verify<RequestCoalescing.Analyzers.Rules.KeyLacksInput.KeyLacksInputAnalyzer>;

namespace RequestCoalescing.Analyzers.Tests.Rules;

/// <summary>RC002 and a call that happens for one value of an input only, so that the key needs no such input.</summary>
public sealed class GuardedInputTests
{
    [Theory]
    [InlineData("if (limit == 10) _ = CALL;")]
    [InlineData("if (10 == limit) _ = CALL;")]
    [InlineData("if ((long)limit == 10) _ = CALL;")]
    [InlineData("if (limit != 10) { } else _ = CALL;")]
    [InlineData("if (limit != 10) return; _ = CALL;")]
    [InlineData("if (limit != 10) throw new InvalidOperationException(); _ = CALL;")]
    [InlineData("foreach (var one in ids) { if (limit != 10) continue; _ = CALL; }")]
    [InlineData("if (!(limit == 10)) return; _ = CALL;")]
    [InlineData("if (limit == 10 && ids.Length > 5) _ = CALL;")]
    [InlineData("if (ids.Length > 5 && limit == 10) _ = CALL;")]
    [InlineData("if (ids.Length > 5 || limit != 10) return; _ = CALL;")]
    [InlineData("if (limit is 10) _ = CALL;")]
    [InlineData("if (limit is not 10) return; _ = CALL;")]
    [InlineData("if (limit.Equals(10)) _ = CALL;")]
    [InlineData("if (Equals(limit, 10)) _ = CALL;")]
    [InlineData("_ = limit == 10 ? CALL : default;")]
    [InlineData("_ = limit switch { 10 => CALL, _ => default };")]
    [InlineData("switch (limit) { case 10: _ = CALL; break; }")]
    [InlineData("if (maybe == 10) _ = CALL;", "maybe")]
    [InlineData("if (text != null) return; _ = CALL;", "text")]
    [InlineData("if (text is not null) return; _ = CALL;", "text")]
    [InlineData("if (!string.IsNullOrEmpty(text)) return; _ = CALL;", "text")]
    [InlineData("if (string.IsNullOrWhiteSpace(text)) _ = CALL;", "text")]
    [InlineData("if (drafts) _ = CALL;", "drafts")]
    [InlineData("if (!drafts) _ = CALL;", "drafts")]
    [InlineData("if (drafts) return; _ = CALL;", "drafts")]
    public Task An_input_that_has_one_value_at_the_call_is_left_alone(string body, string read = "limit") => Rule.NoneAsync(InClass(body, read));

    [Theory]
    [InlineData("if (limit != 10) _ = CALL;")]
    [InlineData("if (limit == 10) { } else _ = CALL;")]
    [InlineData("if (limit == 10) return; _ = CALL;")]
    [InlineData("if (limit != 10) ids = []; _ = CALL;")]
    [InlineData("_ = CALL; if (limit != 10) return;")]
    [InlineData("if (limit < 10) return; _ = CALL;")]
    [InlineData("if (limit == ids.Length) _ = CALL;")]
    [InlineData("if (ids.Length == limit) _ = CALL;")]
    [InlineData("if (ids.Length == 10) _ = CALL;")]
    [InlineData("if (10 == ids.Length) _ = CALL;")]
    [InlineData("if (limit == 10 || ids.Length > 5) _ = CALL;")]
    [InlineData("if (limit != 10 && ids.Length > 5) return; _ = CALL;")]
    [InlineData("if (limit is not 10) _ = CALL;")]
    [InlineData("if (limit is 10) return; _ = CALL;")]
    [InlineData("if (limit is > 10) _ = CALL;")]
    [InlineData("if (limit is not (10 or 20)) return; _ = CALL;")]
    [InlineData("if (ids.Length is 10) _ = CALL;")]
    [InlineData("if (ids.Length is not 10) return; _ = CALL;")]
    [InlineData("if (limit.Equals(10)) return; _ = CALL;")]
    [InlineData("if (text.Equals(\"\")) _ = CALL;")]
    [InlineData("if (IsSmall(limit)) _ = CALL;")]
    [InlineData("if (CALL.AsTask().Result > 5 || limit != 10) { }")]
    [InlineData("_ = limit switch { 10 => default, _ => CALL };")]
    [InlineData("_ = text switch { \"\" => CALL, _ => default };")]
    [InlineData("switch (limit) { case 10: break; default: _ = CALL; break; }")]
    [InlineData("switch (text) { case \"\": _ = CALL; break; }")]
    [InlineData("if (text == null) return; _ = CALL;", "text")]
    [InlineData("if (text is null) throw new InvalidOperationException(); _ = CALL;", "text")]
    [InlineData("if (string.IsNullOrEmpty(text)) return; _ = CALL;", "text")]
    [InlineData("if (string.IsNullOrWhiteSpace(text)) return; _ = CALL;", "text")]
    [InlineData("if (drafts == ids.Length > 5) _ = CALL;", "drafts")]
    public Task An_input_that_has_many_values_at_the_call_is_found(string body, string read = "limit") => Rule.FindsAsync(InClass(body, $"[|{read}|]"));

    private static string InClass(string body, string read) =>
        $$"""
        class C
        {
            private readonly Singleflight _posts = new();

            void M(string id, int limit, int? maybe, string text, bool drafts, int[] ids)
            {
                {{body.Replace("CALL", $"_posts.ExecuteAsync(id, flight => LoadAsync(id, {read}))", StringComparison.Ordinal)}}
            }

            static bool IsSmall(int limit) => limit < 5;
            static Task<int> LoadAsync(string id, object? other) => Task.FromResult(5);
        }
        """;
}

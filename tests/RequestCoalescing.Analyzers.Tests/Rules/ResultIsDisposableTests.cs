using Rule = RequestCoalescing.Analyzers.Tests.Verify<RequestCoalescing.Analyzers.Rules.ResultIsDisposable.ResultIsDisposableAnalyzer>;

namespace RequestCoalescing.Analyzers.Tests.Rules;

/// <summary>RC007 finds results that one caller uses up or disposes, and lets callers share objects that live long.</summary>
public sealed class ResultIsDisposableTests
{
    [Theory]
    [InlineData("System.IO.Stream")]
    [InlineData("System.IO.MemoryStream")]
    [InlineData("OwnStream")]
    [InlineData("System.IO.StreamReader")]
    [InlineData("System.Net.Http.HttpResponseMessage")]
    [InlineData("System.Text.Json.JsonDocument")]
    [InlineData("System.Buffers.IMemoryOwner<byte>")]
    [InlineData("System.Data.Common.DbDataReader")]
    [InlineData("System.Data.IDbConnection")]
    [InlineData("DbContext")]
    [InlineData("CancellationTokenSource")]
    [InlineData("IDisposable")]
    [InlineData("IAsyncDisposable")]
    [InlineData("(string Name, System.IO.Stream Content)")]
    [InlineData("IEnumerator<int>")]
    public Task A_result_that_one_caller_uses_up_is_found(string type) => Rule.FindsAsync(InClass(type, "return await _posts.[|ExecuteAsync|](id, flight => LoadAsync(flight));"));

    [Theory]
    [InlineData("string")]
    [InlineData("Task<int>")]
    [InlineData("System.Data.DataTable")]
    [InlineData("System.Net.Http.HttpClient")]
    [InlineData("SemaphoreSlim")]
    [InlineData("Connection")]
    [InlineData("System.Security.Cryptography.X509Certificates.X509Certificate2")]
    [InlineData("IReadOnlyList<string>")]
    [InlineData("IEnumerable<string>")]
    [InlineData("System.Text.Json.JsonElement")]
    [InlineData("byte[]")]
    [InlineData("(string Name, byte[] Content)")]
    public Task A_result_that_callers_can_share_is_left_alone(string type) => Rule.NoneAsync(InClass(type, "return await _posts.ExecuteAsync(id, flight => LoadAsync(flight));"));

    [Theory]
    [InlineData("using var connection = await _posts.[|ExecuteAsync|](id, flight => LoadAsync(flight)); return connection;")]
    [InlineData("using (var connection = await _posts.[|ExecuteAsync|](id, flight => LoadAsync(flight)).ConfigureAwait(false)) return connection;")]
    [InlineData("using (await _posts.[|ExecuteAsync|](id, flight => LoadAsync(flight))) return null!;")]
    [InlineData("var connection = await _posts.[|ExecuteAsync|](id, flight => LoadAsync(flight)); using (connection) return connection;")]
    [InlineData("var connection = await _posts.[|ExecuteAsync|](id, flight => LoadAsync(flight)); try { return connection; } finally { connection.Dispose(); }")]
    [InlineData("Connection connection = await _posts.[|ExecuteAsync|](id, flight => LoadAsync(flight)); connection?.Dispose(); return null!;")]
    public Task Any_result_that_the_caller_disposes_is_found(string body) => Rule.FindsAsync(InClass("Connection", body));

    [Fact]
    public Task A_flight_without_a_result_is_left_alone() => Rule.NoneAsync(InClass("string", "await _posts.ExecuteAsync(id, async flight => { await LoadAsync(flight); }); return id;"));

    [Fact]
    public Task Work_may_use_up_what_it_opens_itself() => Rule.NoneAsync(InClass(
        "System.IO.Stream",
        "await _posts.ExecuteAsync(id, async flight => { using var stream = await LoadAsync(flight); return stream.Length; }); return null!;"));

    private static string InClass(string type, string body) =>
        $$"""
        public abstract class OwnStream : System.IO.Stream;

        public sealed class Connection : IDisposable
        {
            public void Dispose()
            {
            }
        }

        public class Service(ISingleflight<string> _posts)
        {
            public async Task<{{type}}> GetAsync(string id)
            {
                {{body}}
            }

            private static Task<{{type}}> LoadAsync(CancellationToken flight) => throw new Exception();
        }
        """;
}

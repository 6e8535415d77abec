using Rule = RequestCoalescing.Analyzers.Tests.Verify<RequestCoalescing.Analyzers.Rules.CoalescedWrite.CoalescedWriteAnalyzer>;

namespace RequestCoalescing.Analyzers.Tests.Rules;

/// <summary>RC004 finds works that write, and leaves reads alone.</summary>
public sealed class CoalescedWriteTests
{
    /// <summary>The parts of packages that are not referenced, as their users see them.</summary>
    private const string Packages =
        """
        namespace Dapper
        {
            public static class SqlMapper
            {
                public static Task<int> ExecuteAsync(this System.Data.IDbConnection connection, string sql, object? values = null) => Task.FromResult(0);
                public static Task<T> QuerySingleAsync<T>(this System.Data.IDbConnection connection, string sql, object? values = null) => throw new Exception();
                public static Task<IEnumerable<T>> QueryAsync<T>(this System.Data.IDbConnection connection, string sql, object? values = null) => throw new Exception();
            }
        }

        namespace Azure.Messaging.ServiceBus
        {
            public class ServiceBusSender
            {
                public virtual Task SendMessageAsync(string message, CancellationToken cancellationToken = default) => Task.CompletedTask;
            }
        }

        namespace MassTransit
        {
            public interface IPublishEndpoint
            {
                Task Publish<T>(T message, CancellationToken cancellationToken = default);
            }

            public interface IBus : IPublishEndpoint;

            public static class PublishExtensions
            {
                public static Task PublishBatch<T>(this IPublishEndpoint endpoint, IEnumerable<T> messages) => Task.CompletedTask;
            }
        }

        namespace MediatR
        {
            public interface IMediator
            {
                Task<T> Send<T>(object request, CancellationToken cancellationToken = default);
            }
        }
        """;

    [Theory]
    [InlineData("await _db.[|SaveChangesAsync|](flight); return 1;")]
    [InlineData("_db.[|SaveChanges|](); return 1;")]
    [InlineData("return await _unit.[|SaveChangesAsync|](flight);")]
    [InlineData("return await _db.Posts.Where(post => post.Id == id).[|ExecuteDeleteAsync|](flight);")]
    [InlineData("return await _db.Posts.[|ExecuteUpdateAsync|](set => set.SetProperty(post => post.Likes, post => post.Likes + 1), flight);")]
    [InlineData("return await _db.Database.[|ExecuteSqlAsync|]($\"UPDATE Posts SET Likes = Likes + 1 WHERE Id = {id}\", flight);")]
    [InlineData("return await _db.Database.[|ExecuteSqlRawAsync|](_sql, flight);")]
    [InlineData("return await _db.Posts.[|FromSql|]($\"INSERT INTO Posts (Id) VALUES ({id}) RETURNING *\").CountAsync(flight);")]
    [InlineData("using var command = _connection.CreateCommand(); command.CommandText = _sql; return await command.[|ExecuteNonQueryAsync|](flight);")]
    [InlineData("using var command = _connection.CreateCommand(); command.CommandText = \"delete from posts where id = 1\"; return command.[|ExecuteNonQuery|]();")]
    [InlineData("using var command = _connection.CreateCommand(); command.CommandText = [|\"INSERT INTO posts VALUES (1) RETURNING id\"|]; return (int)(await command.ExecuteScalarAsync(flight))!;")]
    [InlineData("return await _connection.[|ExecuteAsync|](\"insert into likes values (@id)\", new { id });")]
    [InlineData("return await _connection.[|ExecuteAsync|](_sql);")]
    [InlineData("return await _connection.[|QuerySingleAsync<int>|](\"-- a like\\nINSERT INTO likes VALUES (@id) RETURNING id\", new { id });")]
    [InlineData("return await _connection.[|QuerySingleAsync<int>|](\"INSERT \" + \"INTO likes VALUES (1)\");")]
    [InlineData("const string Sql = \"MERGE INTO likes USING new ON likes.id = new.id\"; return await _connection.[|QuerySingleAsync<int>|](Sql);")]
    [InlineData("var sql = $\"UPDATE {id} SET likes = 1\"; return await _connection.[|QuerySingleAsync<int>|](sql);")]
    [InlineData("await _http.[|PostAsync|](\"/likes\", null, flight); return 1;")]
    [InlineData("await _http.[|DeleteAsync|](\"/likes/1\", flight); return 1;")]
    [InlineData("await _http.[|PutAsJsonAsync|](\"/likes/1\", id, flight); return 1;")]
    [InlineData("await System.IO.File.[|WriteAllTextAsync|](\"likes\", id, flight); return 1;")]
    [InlineData("System.IO.File.[|AppendAllText|](\"likes\", id); return 1;")]
    [InlineData("await _sender.[|SendMessageAsync|](id, flight); return 1;")]
    [InlineData("await _bus.[|Publish|](id, flight); return 1;")]
    [InlineData("await _bus.[|PublishBatch|](new[] { id }); return 1;")]
    [InlineData("new System.Net.Mail.SmtpClient().[|Send|](\"a\", \"b\", \"c\", id); return 1;")]
    [InlineData("await _orders.[|PlaceAsync|](id); return 1;")]
    [InlineData("await new Orders().[|PlaceAsync|](id); return 1;")]
    [InlineData("await Task.Run(() => _db.[|SaveChanges|](), flight); return 1;")]
    [InlineData("return await [|StoreAsync|](id, flight);")]
    [InlineData("return await this.[|StoreAsync|](id, flight);")]
    [InlineData("return await [|ThroughAsync|](id, flight);")]
    [InlineData("return await [|ThroughAsync|](id, flight) + await ThroughAsync(id, flight);")]
    public Task A_work_that_writes_is_found(string work) => Rule.FindsAsync(InClass($"_posts.ExecuteAsync(id, async flight => {{ {work} }})"));

    [Theory]
    [InlineData("_posts.ExecuteAsync(id, [|StoreNowAsync|])")]
    [InlineData("_posts.ExecuteAsync(id, flight => [|StoreAsync|](id, flight))")]
    [InlineData("_posts.ExecuteAsync(id, _db.[|SaveChangesAsync|])")]
    [InlineData("_posts.ExecuteAsync(id, flight => _orders.[|PlaceAsync|](id))")]
    [InlineData("_posts.ExecuteAsync(id, _db, static (db, flight) => db.[|SaveChangesAsync|](flight.CancellationToken))")]
    [InlineData("_posts.ExecuteInScopeAsync(id, (services, flight) => services.GetRequiredService<Blog>().[|SaveChangesAsync|](flight))")]
    [InlineData("_posts.ExecuteAsync(id, async flight => { await _db.[|SaveChangesAsync|](flight); })")]
    public Task All_forms_of_work_are_looked_at(string call) => Rule.FindsAsync(InClass(call).Replace("private static Task StoreNowAsync(CancellationToken flight) => Store", "private static Task StoreNowAsync(CancellationToken flight) => " + (call.Contains("StoreNow", StringComparison.Ordinal) ? "s_db.SaveChangesAsync(flight)" : "Store")));

    [Theory]
    [InlineData("return await _db.Posts.CountAsync(flight);")]
    [InlineData("return await _db.Posts.FromSql($\"SELECT * FROM Posts WHERE Id = {id}\").CountAsync(flight);")]
    [InlineData("return (await _connection.QueryAsync<int>(\"SELECT likes FROM posts -- UPDATE\")).Count();")]
    [InlineData("return (await _connection.QueryAsync<int>(\"SELECT * FROM log WHERE text = 'INSERT INTO'\")).Count();")]
    [InlineData("return (await _connection.QueryAsync<int>(\"updates_of_post\")).Count();")]
    [InlineData("return (await _connection.QueryAsync<int>(\"UPDATES\")).Count();")]
    [InlineData("return await _connection.ExecuteAsync(\"SET TRANSACTION ISOLATION LEVEL SNAPSHOT\");")]
    [InlineData("using var command = _connection.CreateCommand(); command.CommandText = \"PRAGMA query_only = 1\"; return await command.ExecuteNonQueryAsync(flight);")]
    [InlineData("using var command = _connection.CreateCommand(); command.CommandText = \"SELECT 1\"; return (int)(await command.ExecuteScalarAsync(flight))!;")]
    [InlineData("Console.WriteLine(\"INSERT INTO likes VALUES (1)\"); return 1;")]
    [InlineData("_logger.LogInformation(\"UPDATE posts SET likes = 1\"); return 1;")]
    [InlineData("return (await _http.GetStringAsync(\"/likes\", flight)).Length;")]
    [InlineData("using var response = await _http.SendAsync(new System.Net.Http.HttpRequestMessage(System.Net.Http.HttpMethod.Post, \"/search\"), flight); return 1;")]
    [InlineData("using var form = new System.Net.Http.FormUrlEncodedContent([new(\"grant_type\", \"client_credentials\")]); using var response = await _http.PostAsync(\"/token\", form, flight); return 1;")]
    [InlineData("return await _mediator.Send<int>(id, flight);")]
    [InlineData("_known.TryAdd(id, 1); _known[id] = 2; return 1;")]
    [InlineData("_cache.Set(id, 1); return 1;")]
    [InlineData("return (await System.IO.File.ReadAllTextAsync(\"likes\", flight)).Length;")]
    [InlineData("return await _orders.LoadAsync(id);")]
    [InlineData("return await LoadAsync(id, flight);")]
    [InlineData("return await _posts.ExecuteAsync(\"update posts set likes\", inner => LoadAsync(id, inner), flight);")]
    [InlineData("return await RecursiveAsync(id, flight);")]
    [InlineData("Sender.SendAsync(id); return 1;")]
    [InlineData("return await _repository.PostAsync(id);")]
    public Task A_work_that_reads_is_left_alone(string work) => Rule.NoneAsync(InClass($"_posts.ExecuteAsync(id, async flight => {{ {work} }})"));

    [Theory]
    [InlineData("_db.SaveChangesAsync(default)")]
    [InlineData("StoreAsync(id, default)")]
    [InlineData("_hybrid.GetOrCreateAsync(id, async token => await _db.SaveChangesAsync(token)).AsTask()")]
    public Task A_write_outside_of_flights_is_right(string call) => Rule.NoneAsync(InClass(call));

    [Fact]
    public Task A_finding_can_be_suppressed() => Rule.NoneAsync(InClass(
        """
        _posts.ExecuteAsync(id, async flight =>
                {
        #pragma warning disable RC004 // a query in the body of a POST
                    await _http.PostAsync("/graphql", null, flight);
        #pragma warning restore RC004
                    return 1;
                })
        """));

    [Fact]
    public Task Generated_code_is_skipped() => Rule.NoneAsync("// <auto-generated/>\n#nullable enable\n" + InClass("_posts.ExecuteAsync(id, flight => _db.SaveChangesAsync(flight))"));

    private static string InClass(string call) =>
        $$"""
        using Dapper;
        using MassTransit;
        using System.Net.Http.Json;
        using Azure.Messaging.ServiceBus;
        using MediatR;

        {{Packages}}

        public class Post
        {
            public string Id { get; set; } = "";
            public int Likes { get; set; }
        }

        public class Blog : DbContext
        {
            public DbSet<Post> Posts => Set<Post>();
        }

        public interface IUnitOfWork
        {
            Task<int> SaveChangesAsync(CancellationToken cancellationToken);
        }

        public interface IRepository
        {
            Task<int> PostAsync(string id);
        }

        public interface IOrders
        {
            Task<int> LoadAsync(string id);

            [SideEffects]
            Task<int> PlaceAsync(string id);
        }

        public class Orders : IOrders
        {
            public Task<int> LoadAsync(string id) => Task.FromResult(1);

            public virtual Task<int> PlaceAsync(string id) => Task.FromResult(1);
        }

        public static class Sender
        {
            public static void SendAsync(string text) => Console.WriteLine(text);
        }

        public class Service(
            Blog _db, IUnitOfWork _unit, IOrders _orders, IRepository _repository, System.Data.Common.DbConnection _connection, System.Net.Http.HttpClient _http,
            ServiceBusSender _sender, IBus _bus, IMediator _mediator, ILogger _logger, IMemoryCache _cache, HybridCache _hybrid, ISingleflight<string> _posts, string _sql)
        {
            private static readonly Blog s_db = new();
            private readonly Dictionary<string, int> _known = new();

            public async Task CallAsync(string id) => await {{call}};

            private static Task<int> LoadAsync(string id, CancellationToken flight) => Task.FromResult(id.Length);

            private async Task<int> StoreAsync(string id, CancellationToken flight)
            {
                _db.Add(new Post { Id = id });
                return await _db.SaveChangesAsync(flight);
            }

            private Task<int> ThroughAsync(string id, CancellationToken flight) => StoreAsync(id, flight);

            private static Task StoreNowAsync(CancellationToken flight) => Store;

            private static Task Store => Task.CompletedTask;

            private async Task<int> RecursiveAsync(string id, CancellationToken flight) => id.Length == 0 ? 0 : await RecursiveAsync(id.Substring(1), flight);
        }
        """;
}

using GraphQL;
using GraphQL.Execution;
using GraphQL.Types;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Docs.Pages;

// <snippet batching-graphql>
public sealed class BookType : ObjectGraphType<Book>
{
    // The resolvers of a level run before any of them is awaited, so that their keys meet in one batch.
    public BookType([FromKeyedServices("authors")] BatchLoader<long, Author> authors)
    {
        Field(book => book.Title);
        Field<AuthorType>("author").ResolveAsync(async context => await authors.LoadAsync(context.Source.AuthorId, context.CancellationToken));
    }
}
// </snippet>

public sealed class AuthorType : ObjectGraphType<Author>
{
    public AuthorType([FromKeyedServices("countries")] BatchLoader<string, Country> countries)
    {
        Field(author => author.Name);
        Field<CountryType>("country").ResolveAsync(async context => await countries.LoadAsync(context.Source.Country, context.CancellationToken));
    }
}

public sealed class CountryType : ObjectGraphType<Country>
{
    public CountryType() => Field(country => country.Name);
}

public sealed class LibraryQuery : ObjectGraphType
{
    public LibraryQuery() => Field<ListGraphType<BookType>>("books").Resolve(static _ => Enumerable.Range(0, 300).Select(id => new Book($"Book {id}", id % 100)));
}

public sealed record Book(string Title, long AuthorId);

public sealed record Author(string Name, string Country);

public sealed record Country(string Name);

/// <summary>A nested GraphQL query of 100 authors makes one call of the backend, and one for all of their countries.</summary>
public sealed class GraphQLBatching
{
    private static readonly TimeSpan s_window = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task Each_level_of_a_query_is_one_call()
    {
        var clock = new FakeTimeProvider();
        List<IReadOnlyList<long>> authorCalls = [];
        List<IReadOnlyList<string>> countryCalls = [];
        var services = new ServiceCollection();
        services.AddSingleton<BookType>().AddSingleton<AuthorType>().AddSingleton<CountryType>().AddSingleton<LibraryQuery>();
        services.AddBatchLoader<long, Author>(
            "authors",
            async (_, ids, _) =>
            {
                authorCalls.Add(ids);
                await Task.Yield();
                return ids.ToDictionary(id => id, id => new Author($"Author {id}", $"c{id % 7}"));
            },
            Configure);
        services.AddBatchLoader<string, Country>(
            "countries",
            async (_, codes, _) =>
            {
                countryCalls.Add(codes);
                await Task.Yield();
                return codes.ToDictionary(code => code, code => new Country($"Country {code}"));
            },
            Configure);
        await using var provider = services.BuildServiceProvider();
        var authors = provider.GetRequiredKeyedService<BatchLoader<long, Author>>("authors");
        var countries = provider.GetRequiredKeyedService<BatchLoader<string, Country>>("countries");

        using var schema = new Schema(provider) { Query = provider.GetRequiredService<LibraryQuery>() };
        var execution = new DocumentExecuter().ExecuteAsync(options =>
        {
            options.Schema = schema;
            options.Query = "{ books { title author { name country { name } } } }";
        });
        await authors.Singleflight.UntilSubscribersAsync(300);
        clock.Advance(s_window);
        await countries.Singleflight.UntilSubscribersAsync(300);
        clock.Advance(s_window);
        var result = await execution.SoonAsync();

        Assert.Null(result.Errors);
        Assert.Equal((100, 7), (Assert.Single(authorCalls).Count, Assert.Single(countryCalls).Count));
        var books = (IList<object?>)((IReadOnlyDictionary<string, object?>)((RootExecutionNode)result.Data!).ToValue()!)["books"]!;
        Assert.Equal(300, books.Count);
        var last = (IReadOnlyDictionary<string, object?>)books[299]!;
        var author = (IReadOnlyDictionary<string, object?>)last["author"]!;
        Assert.Equal(("Book 299", "Author 99", "Country c1"), (last["title"], author["name"], ((IReadOnlyDictionary<string, object?>)author["country"]!)["name"]));

        // No batch is full before all callers have come.
        void Configure(BatchLoaderOptions options) => (options.Window, options.MaxBatchSize, options.TimeProvider) = (s_window, 300, clock);
    }
}

namespace RequestCoalescing.Analyzers.Tests.Pages;

internal static class RC010
{
    public static class Before
    {
        // <snippet rc010-before>
        public static async Task<Post> GetPostAsync(IDatabase database, string id, CancellationToken cancellationToken)
        {
            var posts = new Singleflight();
            return await posts.ExecuteAsync(id, flight => database.LoadPostAsync(id, flight), cancellationToken);
        }
        // </snippet>
    }

    public static class After
    {
        // <snippet rc010-after>
        private static readonly Singleflight s_posts = new();

        public static async Task<Post> GetPostAsync(IDatabase database, string id, CancellationToken cancellationToken) =>
            await s_posts.ExecuteAsync(id, flight => database.LoadPostAsync(id, flight), cancellationToken);
        // </snippet>
    }
}

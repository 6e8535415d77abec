namespace RequestCoalescing.Keys.Tests;

internal interface INamed
{
    string Name { get; set; }

    string this[int index, string key] { get; }
}

/// <summary>An interface with coalesced methods, and with a member of each other kind.</summary>
internal interface IPosts : INamed, IDisposable
{
    event EventHandler? Changed;

    int Count { get; }

    [Coalesce]
    Task<string> GetPostAsync(string id, int limit, CancellationToken cancellationToken = default);

    [Coalesce(Name = "posts:warm")]
    ValueTask WarmAsync(Color color, [NotInKey("only for the log")] object? caller);

    Task SaveAsync(string id, string text, CancellationToken cancellationToken);

    T Convert<T>(T value, params string[] words)
        where T : class, IComparable<T>;

    T? OrDefault<T>(T? value);

    bool TryGet(ref int state, in int id, out string? text);

    ref int Reference(scoped ReadOnlySpan<char> text);

    string WithBody() => "interface";
}

/// <summary>The object behind the interface.</summary>
internal sealed class Posts : IPosts
{
    private int _value = 7;

    public event EventHandler? Changed;

    public Backend<string> Backend { get; } = new();

    public int Count => 3;

    public string Name { get; set; } = "posts";

    public bool IsDisposed { get; private set; }

    public string? Saved { get; private set; }

    public string this[int index, string key] => $"{key} {index}";

    public Task<string> GetPostAsync(string id, int limit, CancellationToken cancellationToken) => Backend.RunAsync(cancellationToken).AsTask();

    public async ValueTask WarmAsync(Color color, object? caller) => await Backend.RunAsync(default);

    public Task SaveAsync(string id, string text, CancellationToken cancellationToken)
    {
        Saved = $"{id} {text}";
        Changed?.Invoke(this, EventArgs.Empty);
        return Task.CompletedTask;
    }

    public T Convert<T>(T value, params string[] words)
        where T : class, IComparable<T> => value;

    public T? OrDefault<T>(T? value) => value;

    public bool TryGet(ref int state, in int id, out string? text)
    {
        state += id;
        text = $"{state}";
        return true;
    }

    public ref int Reference(scoped ReadOnlySpan<char> text) => ref _value;

    public string WithBody() => "class";

    public void Dispose() => IsDisposed = true;
}

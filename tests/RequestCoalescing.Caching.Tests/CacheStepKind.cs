namespace RequestCoalescing.Caching.Tests;

internal enum CacheStepKind
{
    Get,
    Reload,
    Set,
    Remove,
    RemoveByTag,
    RemoveAll,
    Expire,
    Succeed,
    Fail,
    Cancel,
    Proceed,
}

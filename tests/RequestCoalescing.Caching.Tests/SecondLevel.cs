using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;

namespace RequestCoalescing.Caching.Tests;

/// <summary>A second level in memory. HybridCache ignores a <see cref="MemoryDistributedCache"/> itself, and uses a type that derives from it.</summary>
public sealed class SecondLevel() : MemoryDistributedCache(Options.Create(new MemoryDistributedCacheOptions()));

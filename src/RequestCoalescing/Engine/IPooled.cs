namespace RequestCoalescing.Engine;

/// <summary>What a <see cref="Pool{T}"/> keeps.</summary>
internal interface IPooled
{
    /// <summary>About how many bytes an object has.</summary>
    static abstract int Size { get; }
}

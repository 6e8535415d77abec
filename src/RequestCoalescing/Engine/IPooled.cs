namespace RequestCoalescing.Engine;

/// <summary>An object that a <see cref="Pool{T}"/> keeps.</summary>
internal interface IPooled
{
    /// <summary>The approximate size of an object, in bytes.</summary>
    static abstract int Size { get; }
}

using RequestCoalescing.Engine;
using RequestCoalescing.Rollout;

namespace RequestCoalescing;

/// <summary>Which calls of an instance are coalesced. The options can be reloaded at run time. Running flights are not affected.</summary>
public sealed class RolloutOptions
{
    /// <summary>
    /// The kill switch. If false, every new call runs alone. Default <see langword="true"/>.
    /// </summary>
    public bool Enabled { get; set; } = true;

    /// <summary>Whether calls are coalesced or only observed. Default <see cref="RolloutMode.Coalesce"/>.</summary>
    public RolloutMode Mode { get; set; } = RolloutMode.Coalesce;

    /// <summary>
    /// The share of the keys that are coalesced. Calls with other keys run alone. The choice is the same on every node, and a key that was chosen
    /// stays chosen when the fraction grows. Default 1. Range: 0 to 1. For a value between 0 and 1 the keys need a text of their own. A type without
    /// one is refused at the start and on a reload.
    /// </summary>
    public double Fraction { get; set; } = 1;

    internal void Validate()
    {
        if (!(Fraction is >= 0 and <= 1)) throw new ArgumentOutOfRangeException(nameof(Fraction), Fraction, $"{nameof(Fraction)} must be from 0 to 1.");
        EnumCheck.ThrowUnlessDefined(Mode, nameof(Mode));
    }

    internal void ValidateFor(Type keyType)
    {
        if (Fraction is 0 or 1 || TextCheck.FindTextless(keyType) is not { } textless) return;
        throw Wrong(
            nameof(Fraction),
            $"A rollout to a fraction of the keys needs keys with a text, but {textless}, in keys of type {keyType}, does not override ToString. Override it, or register the instance with WithKeyText.");

        static ArgumentException Wrong(string name, string message) => new(message, name);
    }
}

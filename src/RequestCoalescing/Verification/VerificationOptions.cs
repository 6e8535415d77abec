using System.Collections;
using RequestCoalescing.Engine;

namespace RequestCoalescing;

/// <summary>How followers are verified. The fraction and the behavior can be reloaded at run time.</summary>
public sealed class VerificationOptions
{
    /// <summary>
    /// The share of the followers that are verified. Each verification costs a backend call, for which the follower waits after the flight has
    /// landed. Calls that are made by the work of another flight are not verified. Default 0. Range: 0 to 1.
    /// </summary>
    public double Fraction { get; set; }

    /// <summary>Which result a follower gets if its own work returns another one. Default <see cref="MismatchBehavior.UseShared"/>.</summary>
    public MismatchBehavior OnMismatch { get; set; } = MismatchBehavior.UseShared;

    /// <summary>
    /// Decides which results are equal. Default null: results are compared by their content. Types that override
    /// <see cref="object.Equals(object?)"/> are compared by it. Collections are compared by their elements (sets and dictionaries in any order), and
    /// records, tuples and classes by their fields. The comparison is not certain for a framework type without equality, and if a private field
    /// differs. In a natively compiled application it is not certain either for any record or class whose <c>Equals</c> returns false. Such a
    /// verification counts as <see cref="SingleflightStats.Unverifiable"/>, and is logged once for each type. Set a comparer for such results, and
    /// for results that differ from run to run, for example in a timestamp.
    /// </summary>
    public IEqualityComparer? Comparer { get; set; }

    /// <summary>A callback for each mismatch. It is called from any thread. Default null. If it throws, the exception is logged, and no caller is affected.</summary>
    public Action<VerificationMismatch>? Mismatched { get; set; }

    internal void Validate()
    {
        if (!(Fraction is >= 0 and <= 1)) throw new ArgumentOutOfRangeException(nameof(Fraction), Fraction, $"{nameof(Fraction)} must be from 0 to 1.");
        EnumCheck.ThrowUnlessDefined(OnMismatch, nameof(OnMismatch));
    }
}

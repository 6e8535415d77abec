using System.Collections;

namespace RequestCoalescing;

/// <summary>How followers are verified. The fraction and the behavior can be reloaded at run time.</summary>
public sealed class VerificationOptions
{
    /// <summary>
    /// The share of the followers that are verified. Each verification costs a backend call, for which the follower waits after the flight has
    /// landed. Calls that are made by the work of another flight are not verified. Default 0. Range: 0 to 1.
    /// </summary>
    public double Fraction { get; set; }

    /// <summary>Which result a follower gets if its own work makes a different one. Default <see cref="MismatchBehavior.UseShared"/>.</summary>
    public MismatchBehavior OnMismatch { get; set; } = MismatchBehavior.UseShared;

    /// <summary>
    /// Says which results are the same. Default null: results are compared by their content. Types that override
    /// <see cref="object.Equals(object?)"/> are compared by that. Collections are compared by their elements (sets and dictionaries in any order),
    /// and records, tuples and classes by their fields. If the comparison is not certain (a type of the framework without equality, a private
    /// field that differs, or, in a natively compiled application, any record or class whose <c>Equals</c> says no), the verification counts as
    /// <see cref="SingleflightStats.Unverifiable"/>, and the log says so once for each type. Set a comparer for such results, and for results that
    /// differ from run to run, for example in a timestamp.
    /// </summary>
    public IEqualityComparer? Comparer { get; set; }

    /// <summary>Is called at each mismatch, from any thread. Default null. If it throws, the exception is logged, and no caller is affected.</summary>
    public Action<VerificationMismatch>? Mismatched { get; set; }

    internal void Validate()
    {
        if (!(Fraction is >= 0 and <= 1)) throw new ArgumentOutOfRangeException(nameof(Fraction), Fraction, $"{nameof(Fraction)} must be from 0 to 1.");
        if (!Enum.IsDefined(OnMismatch))
        {
            throw new ArgumentOutOfRangeException(
                nameof(OnMismatch), OnMismatch, $"{nameof(OnMismatch)} must be one of: {string.Join(", ", Enum.GetNames<MismatchBehavior>())}.");
        }
    }
}

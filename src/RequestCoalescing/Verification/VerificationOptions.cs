using System.Collections;

namespace RequestCoalescing;

/// <summary>How followers are verified. The fraction and the behavior follow configuration reloads.</summary>
public sealed class VerificationOptions
{
    /// <summary>
    /// The share of followers that are verified. Each costs a backend call, and waits for it after the flight has landed. Calls that the work of another flight
    /// makes are not verified. Default 0. Range: 0 to 1.
    /// </summary>
    public double Fraction { get; set; }

    /// <summary>What a follower gets whose own work makes something else. Default <see cref="MismatchBehavior.UseShared"/>.</summary>
    public MismatchBehavior OnMismatch { get; set; } = MismatchBehavior.UseShared;

    /// <summary>
    /// Says which results are the same. Default null: by what is in them, as far as that is certain. Values and types that override
    /// <see cref="object.Equals(object?)"/> by that; collections by their elements (sets and dictionaries in any order); records, tuples and
    /// classes by their fields. Where nobody can tell (a type of the framework without equality, a private field that differs; natively
    /// compiled, any record or class whose <c>Equals</c> says no) the verification counts as <see cref="SingleflightStats.Unverifiable"/>, and
    /// the log says so once for the type. Those need a comparer, as do results that differ from run to run (in a timestamp, say).
    /// </summary>
    public IEqualityComparer? Comparer { get; set; }

    /// <summary>Called at each mismatch, from any thread. Default null. An exception in it is logged and harms nobody.</summary>
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

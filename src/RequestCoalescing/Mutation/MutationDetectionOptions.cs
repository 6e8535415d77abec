namespace RequestCoalescing;

/// <summary>Options of <c>WithMutationDetection</c>. The settings are in <c>Singleflight[:name]:MutationDetection</c>.</summary>
public sealed class MutationDetectionOptions
{
    /// <summary>Whether results are checked. Default: null, which checks them if the host's environment is Development.</summary>
    public bool? Enabled { get; set; }

    /// <summary>How long after the end of its flight a result is checked. Default: 5 seconds. Range: 1 millisecond to 1 day.</summary>
    public TimeSpan CheckAfter { get; set; } = TimeSpan.FromSeconds(5);

    internal void Validate()
    {
        if (CheckAfter < TimeSpan.FromMilliseconds(1) || CheckAfter > TimeSpan.FromDays(1)) throw new ArgumentOutOfRangeException(nameof(CheckAfter), CheckAfter, "It must be from 1 millisecond to 1 day.");
    }
}

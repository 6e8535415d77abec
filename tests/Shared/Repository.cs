using System.Runtime.CompilerServices;

namespace RequestCoalescing;

/// <summary>The repository that the tests belong to.</summary>
public static class Repository
{
    /// <summary>Its root folder.</summary>
    public static string Root { get; } = FindRoot();

    private static string FindRoot([CallerFilePath] string here = "")
    {
        // A build with mapped paths hides the source folder. Then the search starts at the assembly.
        foreach (var start in new[] { Path.GetDirectoryName(here), AppContext.BaseDirectory })
        {
            for (var folder = start; folder is not null; folder = Path.GetDirectoryName(folder))
            {
                if (File.Exists(Path.Combine(folder, "RequestCoalescing.slnx"))) return folder;
            }
        }

        throw new InvalidOperationException("The repository's root was not found.");
    }
}

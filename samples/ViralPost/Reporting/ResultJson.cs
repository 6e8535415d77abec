using System.Text.Json;
using ViralPost.Load;

namespace ViralPost.Reporting;

/// <summary>The table as a JSON array.</summary>
internal static class ResultJson
{
    private static readonly JsonSerializerOptions s_options = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    /// <summary>Opens the file, before the work that is to fill it.</summary>
    public static FileStream Open(string path)
    {
        try
        {
            return File.Create(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new StoryException($"The results cannot be written to {path}: {exception.Message}", exception);
        }
    }

    public static Task WriteAsync(FileStream file, IReadOnlyList<RunResult> results, CancellationToken cancellationToken) =>
        JsonSerializer.SerializeAsync(file, results, s_options, cancellationToken);
}

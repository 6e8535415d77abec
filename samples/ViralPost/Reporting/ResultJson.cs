using System.Text.Json;
using ViralPost.Load;

namespace ViralPost.Reporting;

/// <summary>Writes the results as a JSON array, with an object for each completed run.</summary>
internal static class ResultJson
{
    private static readonly JsonSerializerOptions s_options = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    /// <summary>Opens the file before the first run, so that an unwritable path fails at once.</summary>
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

    public static Task WriteAsync(FileStream file, IReadOnlyList<RunResult> results) =>
        JsonSerializer.SerializeAsync(file, results, s_options);
}

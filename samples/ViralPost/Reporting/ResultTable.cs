using Spectre.Console;
using ViralPost.Load;

namespace ViralPost.Reporting;

/// <summary>The figures, and a chart of what the backend had to do.</summary>
internal static class ResultTable
{
    public static void Write(IAnsiConsole console, IReadOnlyList<RunResult> results)
    {
        foreach (var scenario in results.GroupBy(result => result.Scenario))
        {
            var table = new Table().Border(TableBorder.Simple);
            table.Title = new TableTitle(scenario.Key == Scenario.Same.Name ? "All requests for the same post" : "Requests spread over 100 posts");
            table.AddColumn(new TableColumn("strategy").NoWrap().Padding(0, 0, 1, 0));
            foreach (var column in new[] { "requests", "backend\nqueries", "reduc-\ntion", "p50\nms", "p99\nms", "max\nms", "failures", "requests\n/s" })
            {
                table.AddColumn(new TableColumn(column).RightAligned().NoWrap().Padding(0, 0, 1, 0));
            }

            var chart = new BarChart { Label = "backend queries", Width = Math.Min(console.Profile.Width, 100) };
            foreach (var result in scenario)
            {
                table.AddRow(
                    result.Strategy,
                    $"{result.Requests:N0}",
                    $"{result.BackendQueries:N0}",
                    $"{result.Reduction:N0} x",
                    Milliseconds(result.P50Ms),
                    Milliseconds(result.P99Ms),
                    Milliseconds(result.MaxMs),
                    $"{result.Failures:N0}",
                    $"{result.RequestsPerSecond:N0}");
                chart.AddItem(result.Strategy, result.BackendQueries, ColorOf(result));
            }

            console.WriteLine();
            console.Write(table);
            console.Write(chart);
        }
    }

    private static string Milliseconds(double value) => value < 100 ? $"{value:N1}" : $"{value:N0}";

    private static Color ColorOf(RunResult result) => result.Reduction switch
    {
        >= 50 => Color.Green,
        >= 5 => Color.Yellow,
        _ => Color.Red,
    };
}

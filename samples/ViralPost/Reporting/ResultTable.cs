using Spectre.Console;
using ViralPost.Load;

namespace ViralPost.Reporting;

/// <summary>Writes the figures of a scenario and their conclusion. They are readable at 60 columns.</summary>
internal static class ResultTable
{
    public static void Write(IAnsiConsole console, Scenario scenario, IReadOnlyList<RunResult> results)
    {
        var table = new Table().Border(TableBorder.Simple);
        table.AddColumn(new TableColumn("\nstrategy").NoWrap().Padding(0, 0, 0, 0));
        foreach (var column in new[] { "\nqueries", scenario.Expires ? "per\nexpiry" : "per\npost", "most\nat once", "db\nbusy s", "p99\nms" })
        {
            table.AddColumn(new TableColumn(column).RightAligned().NoWrap().Padding(0, 0, 0, 0));
        }

        foreach (var result in results)
        {
            table.AddRow(
                result.Strategy,
                $"{result.BackendQueries:N0}",
                Wording.Count(result.QueriesPerFetch),
                $"{result.MostAtOnce:N0}",
                $"{result.DatabaseBusyMs / 1000:N2}",
                $"{result.P99Ms:N0}");
        }

        console.Write(table);
        console.WriteLine(Conclusion.Of(scenario, results));
        if (Conclusion.LoadOf(scenario, results) is { } load) console.WriteLine(load);
        foreach (var result in results.Where(result => result.Failures > 0))
        {
            console.WriteLine($"{result.Strategy}: {result.Failures:N0} of {result.Requests:N0} requests failed.");
        }
    }
}

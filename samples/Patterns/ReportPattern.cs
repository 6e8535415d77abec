using Patterns.Backends;
using PdfSharp.Drawing;
using PdfSharp.Pdf;
using RequestCoalescing;

namespace Patterns;

internal readonly record struct ReportKey(long AccountId, int Year);

internal sealed record Payment(int Month, double Day, double Amount);

/// <summary>Renders the payments of a year: a page for each month, and a dot for each payment.</summary>
internal sealed class ReportService(ISingleflight<ReportKey> flights, SqliteDatabase database)
{
    private int _rendered;

    public int Rendered => Volatile.Read(ref _rendered);

    public ValueTask<byte[]> GetPdfAsync(ReportKey key, CancellationToken cancellationToken) => flights.ExecuteAsync(
        key,
        async flight =>
        {
            var payments = await database.QueryAsync(
                "SELECT month, day, amount FROM payments WHERE account = @account AND year = @year",
                [("@account", key.AccountId), ("@year", key.Year)],
                static row => new Payment(row.GetInt32(0), row.GetDouble(1), row.GetDouble(2)),
                flight);
            return Render(payments, flight);
        },
        cancellationToken);

    private byte[] Render(List<Payment> payments, CancellationToken flight)
    {
        Interlocked.Increment(ref _rendered);
        using var document = new PdfDocument();
        foreach (var month in payments.GroupBy(payment => payment.Month).OrderBy(month => month.Key))
        {
            using var page = XGraphics.FromPdfPage(document.AddPage());
            foreach (var payment in month)
            {
                flight.ThrowIfCancellationRequested(); // no caller waits any more, or MaxDuration is over
                page.DrawEllipse(XBrushes.SteelBlue, 20 + (payment.Day * 18), 820 - (payment.Amount * 0.8), 2, 2);
            }
        }

        using var pdf = new MemoryStream();
        document.Save(pdf);
        return pdf.ToArray();
    }
}

/// <summary>An impatient user clicks on "Download" until the report arrives.</summary>
internal static class ReportPattern
{
    public static async Task<Outcome> RunAsync(TextWriter output, CancellationToken cancellationToken)
    {
        await using var database = await SqliteDatabase.CreateAsync(
            """
            CREATE TABLE payments (account INTEGER NOT NULL, year INTEGER NOT NULL, month INTEGER NOT NULL, day REAL NOT NULL, amount REAL NOT NULL);
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 59999)
            INSERT INTO payments SELECT 42, 2026, 1 + i % 12, i * 7919 % 3000 / 100.0, i * 104729 % 1000 FROM n;
            """,
            cancellationToken);

        var services = new ServiceCollection();
        services.AddSingleflight<ReportKey>(options =>
        {
            options.StartOnThreadPool = true;               // the first click, too, gets its task at once
            options.MaxDuration = TimeSpan.FromMinutes(2);  // longer than the longest report takes
        });
        services.AddSingleton<ReportService>().AddSingleton(database);
        await using var provider = services.BuildServiceProvider();
        var reports = provider.GetRequiredService<ReportService>();

        var clicks = new Crowd(20);
        database.BeforeAnswer = () => clicks.HaveAsked;
        output.WriteLine("A user clicks 20 times on a report, because it does not come at once.");
        var pdfs = await clicks.AskAsync(() => reports.GetPdfAsync(new ReportKey(42, 2026), cancellationToken));

        Outcome.Expect(pdfs.All(pdf => pdf.AsSpan().SequenceEqual(pdfs[0])), "Two clicks got different files.");
        using var document = PdfSharp.Pdf.IO.PdfReader.Open(new MemoryStream(pdfs[0]));
        Outcome.Expect(document.PageCount == 12, $"The PDF has {document.PageCount} pages.");
        output.WriteLine($"All clicks got the same PDF: {document.PageCount} pages, {pdfs[0].Length:N0} bytes.");
        return new Outcome(clicks.Asked, reports.Rendered);
    }
}

namespace ViralPost.Reporting;

/// <summary>Formats numbers with their nouns.</summary>
internal static class Wording
{
    /// <summary>"1 query", "25 queries", "6.6 queries".</summary>
    public static string Queries(double count) => count == 1 ? "1 query" : $"{Count(count)} queries";

    /// <summary>"1 request", "25 requests".</summary>
    public static string Requests(int count) => count == 1 ? "1 request" : $"{count:N0} requests";

    /// <summary>A whole number, except for a fraction below 100, which has one decimal.</summary>
    public static string Count(double count) => count < 100 && count != Math.Floor(count) ? $"{count:N1}" : $"{count:N0}";
}

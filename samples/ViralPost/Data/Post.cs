namespace ViralPost.Data;

/// <summary>A post with a summary of its comments.</summary>
internal sealed record Post(long Id, string Title, string Body, long Comments, double AverageScore, string BusiestAuthor, string LatestComment);

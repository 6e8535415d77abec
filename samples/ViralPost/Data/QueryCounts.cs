namespace ViralPost.Data;

/// <summary>The load that a strategy put on the database.</summary>
/// <param name="Queries">The queries that were sent.</param>
/// <param name="InFlight">The queries that wait for a connection or use one now.</param>
/// <param name="MostInFlight">The most queries that were in flight at once.</param>
/// <param name="Busy">The time during which at least one query was in flight. It grows when the last of them ends.</param>
internal readonly record struct QueryCounts(int Queries, int InFlight, int MostInFlight, TimeSpan Busy);

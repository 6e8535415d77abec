using System.Text.Json.Serialization;
using RequestCoalescing.AspNetCore.Dashboard;
using RequestCoalescing.AspNetCore.Stats;

namespace RequestCoalescing.AspNetCore;

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(StatsDocument))]
[JsonSerializable(typeof(DashboardDocument))]
internal sealed partial class Json : JsonSerializerContext;

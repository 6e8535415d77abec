using System.Text.Json.Serialization;

namespace RequestCoalescing.Redis.Payloads;

[JsonSerializable(typeof(ErrorEnvelope))]
internal sealed partial class PayloadJson : JsonSerializerContext;

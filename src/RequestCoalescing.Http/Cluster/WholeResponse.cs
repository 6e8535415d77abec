using System.Net;
using System.Net.Http.Headers;
using System.Text;
using RequestCoalescing.Http.Rules;

namespace RequestCoalescing.Http.Cluster;

/// <summary>A response as bytes: the status, the reason, the headers, those of the content, the trailers and the body.</summary>
internal static class WholeResponse
{
    private const byte Version = 1;

    public static byte[] Pack(HttpResponseMessage response, byte[] body)
    {
        var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes, Encoding.UTF8);
        writer.Write(Version);
        writer.Write((ushort)response.StatusCode);
        writer.Write(response.ReasonPhrase ?? "");
        Write(writer, response.Headers.NonValidated);
        Write(writer, response.Content.Headers.NonValidated);
        Write(writer, response.TrailingHeaders.NonValidated);
        writer.Write(body);
        writer.Flush();
        return bytes.ToArray();
    }

    /// <exception cref="InvalidDataException">Another version has packed it.</exception>
    public static HttpResponseMessage Unpack(byte[] packed)
    {
        var bytes = new MemoryStream(packed);
        using var reader = new BinaryReader(bytes, Encoding.UTF8);
        if (reader.ReadByte() != Version) throw new InvalidDataException("Another version of RequestCoalescing.Http has sent the response. Use the same version on all nodes.");
        var response = new HttpResponseMessage((HttpStatusCode)reader.ReadUInt16()) { ReasonPhrase = reader.ReadString() };
        Read(reader, response.Headers);
        using var content = new ByteArrayContent([]);
        Read(reader, content.Headers);
        Read(reader, response.TrailingHeaders);
        response.Content = new ByteArrayContent(packed, (int)bytes.Position, packed.Length - (int)bytes.Position);
        foreach (var (name, values) in content.Headers.NonValidated) response.Content.Headers.AddLines(name, values);
        return response;
    }

    private static void Write(BinaryWriter writer, HttpHeadersNonValidated headers)
    {
        var values = headers.SelectMany(static header => header.Value.Select(value => (header.Key, value))).ToList();
        writer.Write7BitEncodedInt(values.Count);
        foreach (var (name, value) in values)
        {
            writer.Write(name);
            writer.Write(value);
        }
    }

    private static void Read(BinaryReader reader, HttpHeaders headers)
    {
        for (var left = reader.Read7BitEncodedInt(); left > 0; left--) headers.TryAddWithoutValidation(reader.ReadString(), reader.ReadString());
    }
}

// Checks that each package in a folder has the parts that its page in a gallery needs: dotnet run .ci/packages.cs FOLDER
using System.Buffers.Binary;
using System.IO.Compression;
using System.Text.RegularExpressions;
using System.Xml.Linq;

var packages = Directory.GetFiles(args[0], "*.nupkg");
var failures = packages.SelectMany(package => Check(package).Select(failure => $"{Path.GetFileName(package)}: {failure}")).ToList();
if (packages.Length == 0) failures.Add($"{args[0]} has no packages.");
foreach (var failure in failures) Console.Error.WriteLine(failure);
return failures.Count == 0 ? 0 : 1;

static IEnumerable<string> Check(string package)
{
    using var archive = ZipFile.OpenRead(package);
    using var nuspec = archive.Entries.Single(entry => entry.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).Open();
    var metadata = XDocument.Load(nuspec).Root!.Elements().First().Elements().ToDictionary(element => element.Name.LocalName);
    foreach (var name in new[] { "title", "description", "tags", "license", "projectUrl", "repository", "releaseNotes", "readme", "icon" })
    {
        if (!metadata.TryGetValue(name, out var element) || (element.Value.Length == 0 && element.Attribute("url") is null)) yield return $"it has no {name}.";
    }

    var readme = Read(archive, "README.md") is { } text ? System.Text.Encoding.UTF8.GetString(text) : "";
    if (!readme.StartsWith($"# {metadata["id"].Value}\n", StringComparison.Ordinal)) yield return "its README.md does not begin with the package's name.";
    if (!readme.Contains($"dotnet add package {metadata["id"].Value}\n", StringComparison.Ordinal) && !readme.Contains($"dotnet tool install --global {metadata["id"].Value}\n", StringComparison.Ordinal)) yield return "its README.md does not say how to add it.";
    foreach (Match link in Regex.Matches(readme, @"\]\((?!https://)[^)]*\)")) yield return $"the link {link.Value} in its README.md is not absolute.";

    var own = metadata["id"].Value.Split('.')[0];
    foreach (var dependency in metadata.TryGetValue("dependencies", out var dependencies) ? dependencies.Descendants().Where(element => element.Name.LocalName == "dependency") : [])
    {
        if (dependency.Attribute("id")!.Value.Split('.')[0] == own && !dependency.Attribute("version")!.Value.StartsWith('[')) yield return $"it takes any later version of {dependency.Attribute("id")!.Value}, and may use its internals.";
    }

    var icon = Read(archive, "icon.png");
    if (icon is null || BinaryPrimitives.ReadInt32BigEndian(icon.AsSpan(16)) != 128 || BinaryPrimitives.ReadInt32BigEndian(icon.AsSpan(20)) != 128) yield return "its icon is not 128 x 128 pixels.";
}

static byte[]? Read(ZipArchive archive, string name)
{
    if (archive.GetEntry(name) is not { } entry) return null;
    using var stream = entry.Open();
    using var copy = new MemoryStream();
    stream.CopyTo(copy);
    return copy.ToArray();
}

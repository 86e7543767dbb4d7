using System.Text.RegularExpressions;

namespace Architecture.Tests;

public sealed partial class MigrationTests
{
    [Fact]
    public void Migrations_are_numbered_without_a_gap_and_named_for_their_reason()
    {
        var names = Directory.EnumerateFiles(Path.Combine(Repository.Root, "sql"), "*.sql")
            .Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal).ToList();

        Assert.All(names, name => Assert.Matches(Name(), name));
        Assert.Equal(Enumerable.Range(1, names.Count), names.Select(name => int.Parse(name[..4], null)));
    }

    [GeneratedRegex(@"^\d{4}_[a-z][a-z0-9_]*\.sql$")]
    private static partial Regex Name();
}

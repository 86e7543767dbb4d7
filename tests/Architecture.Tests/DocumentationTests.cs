using System.Text.RegularExpressions;

namespace Architecture.Tests;

public sealed partial class DocumentationTests
{
    [Fact]
    public void Links_within_the_repository_lead_somewhere()
    {
        var broken =
            from file in Directory.EnumerateFiles(Repository.Root, "*.md", SearchOption.AllDirectories)
            where !Repository.IsBuilt(file)
            from Match link in Link().Matches(File.ReadAllText(file))
            let target = link.Groups["target"].Value.Split('#')[0]
            where target.Length > 0 && !target.Contains("://", StringComparison.Ordinal)
            let path = Path.Combine(Path.GetDirectoryName(file)!, target)
            where !File.Exists(path) && !Directory.Exists(path)
            select $"{Repository.Relative(file)} -> {target}";

        Assert.Empty(broken);
    }

    /// <summary>docs/architecture.md says which test holds a promise; a name that is no test's would be an empty claim.</summary>
    [Fact]
    public void Every_test_that_the_architecture_names_exists()
    {
        var page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "architecture.md"));
        var claimed = TestName().Matches(page).Select(match => match.Groups["name"].Value).Distinct().ToList();
        Assert.NotEmpty(claimed);

        var tests = Repository.SourceFiles("tests")
            .SelectMany(file => TestMethod().Matches(File.ReadAllText(file)).Select(match => match.Groups["name"].Value))
            .ToHashSet(StringComparer.Ordinal);
        Assert.Subset(tests, claimed.ToHashSet(StringComparer.Ordinal));
    }

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)\)")]
    private static partial Regex Link();

    /// <summary>A name in backquotes with at least three underscores is a test's: nothing else is written that way.</summary>
    [GeneratedRegex(@"`(?<name>[A-Z][A-Za-z0-9]*(_[A-Za-z0-9]+){3,})`")]
    private static partial Regex TestName();

    [GeneratedRegex(@"\b(void|Task) (?<name>[A-Z]\w+)\(")]
    private static partial Regex TestMethod();
}

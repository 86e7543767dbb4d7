using System.Reflection;
using System.Text.RegularExpressions;

namespace Architecture.Tests;

public sealed partial class DependencyTests
{
    private static readonly string[] Projects = ["Grains.Abstractions", "Grains", "WebFrontend"];

    [Theory]
    [InlineData("Marketplace.Grains.Abstractions", new string[0])]
    [InlineData("Marketplace.Hosting", new string[0])]
    [InlineData("Marketplace.Client", new string[0])]
    [InlineData("Marketplace.Grains", new[] { "Marketplace.Grains.Abstractions", "Marketplace.Hosting" })]
    [InlineData("Marketplace.WebFrontend", new[] { "Marketplace.Grains.Abstractions", "Marketplace.Hosting" })]
    [InlineData("Marketplace.Silo", new[] { "Marketplace.Grains.Abstractions", "Marketplace.Grains", "Marketplace.Hosting" })]
    public void A_project_knows_only_those_it_may_know(string project, string[] mayKnow)
    {
        var known = Assembly.Load(project).GetReferencedAssemblies()
            .Select(reference => reference.Name!)
            .Where(name => name.StartsWith("Marketplace.", StringComparison.Ordinal));

        Assert.Empty(known.Except(mayKnow));
    }

    /// <summary>Limits and Realtime could be lifted out as libraries.</summary>
    [Theory]
    [InlineData("Limits", "Trouble", "Hosting", "Frontends", "Storage")]
    [InlineData("Realtime", "Trouble", "Hosting", "Frontends", "Storage")]
    public void A_feature_that_is_a_library_knows_nothing_of_the_marketplace(string feature, params string[] mayKnow)
    {
        var files = Projects.Select(project => Path.Combine(project, feature))
            .Where(folder => Directory.Exists(Path.Combine(Repository.Root, folder)))
            .SelectMany(folder => Repository.SourceFiles(folder))
            .ToList();
        Assert.NotEmpty(files);

        var features = Projects
            .SelectMany(project => Directory.EnumerateDirectories(Path.Combine(Repository.Root, project)))
            .Select(folder => Path.GetFileName(folder))
            .Where(name => name is not ("bin" or "obj" or "Properties"))
            .ToHashSet(StringComparer.Ordinal);
        var strangers =
            from file in files
            from Match mention in MarketplaceNamespace().Matches(File.ReadAllText(file))
            let name = mention.Groups["feature"].Value
            where features.Contains(name) && name != feature && !mayKnow.Contains(name)
            select $"{Repository.Relative(file)} mentions {mention.Value}";
        Assert.Empty(strangers);
    }

    [GeneratedRegex(@"\bMarketplace\.(Grains\.|WebFrontend\.)?(?<feature>[A-Z]\w*)")]
    private static partial Regex MarketplaceNamespace();
}

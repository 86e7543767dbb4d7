namespace Architecture.Tests;

/// <summary>The checkout that these tests were built from.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    /// <summary>The project's own C# files, without what is generated.</summary>
    public static IEnumerable<string> SourceFiles(params string[] folders) => folders
        .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories))
        .Where(file => !IsBuilt(file));

    public static string Relative(string file) => Path.GetRelativePath(Root, file).Replace('\\', '/');

    public static bool IsBuilt(string file) =>
        Relative(file).Split('/').Any(part => part is "bin" or "obj" or ".data" or "node_modules" or "TestResults");

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Marketplace.sln")))
        {
            folder = Path.GetDirectoryName(folder)
                ?? throw new InvalidOperationException("Marketplace.sln is in no folder above the tests.");
        }

        return folder;
    }
}

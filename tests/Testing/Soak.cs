namespace Marketplace.Testing;

/// <summary>
/// Whether tests that are worth repeating for long are to take their time: <c>make soak</c> sets <c>SOAK=1</c> and runs the
/// classes that carry <c>[Trait(Soak.Trait, "yes")]</c>; <c>make test</c> runs them for as long as a short look takes.
/// </summary>
public static class Soak
{
    public const string Trait = "Soak";

    public static bool IsOn => Environment.GetEnvironmentVariable("SOAK") == "1";

    /// <summary>How much of something a test does: so much in every test run, and so much in a soak.</summary>
    public static T Choose<T>(T inTest, T inSoak) => IsOn ? inSoak : inTest;
}

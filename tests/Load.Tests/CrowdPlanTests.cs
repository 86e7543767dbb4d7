using Marketplace.Bench.Load.Driver;

namespace Load.Tests;

public sealed class CrowdPlanTests
{
    public static TheoryData<int, int> Crowds { get; } = new(
        from servers in Enumerable.Range(2, 5)
        from connections in new[] { 2, 10, 14, 30, 100, 1_000, 1_002 }
        select (servers, connections));

    [Theory]
    [MemberData(nameof(Crowds))]
    public void The_two_of_a_pair_are_at_different_servers(int servers, int connections)
    {
        var plan = Plan(servers, connections);

        Assert.All(
            Enumerable.Range(0, connections / 2),
            pair => Assert.NotEqual(plan.TargetOf(2 * pair, attempt: 0), plan.TargetOf((2 * pair) + 1, attempt: 0)));
    }

    [Theory]
    [MemberData(nameof(Crowds))]
    public void The_connections_of_a_user_are_spread_over_the_servers(int servers, int connections)
    {
        var plan = Plan(servers, connections);

        Assert.All(
            Enumerable.Range(0, connections).GroupBy(plan.UserOf),
            user => Assert.Equal(
                Math.Min(servers, user.Count()), user.Select(client => plan.TargetOf(client, attempt: 0)).Distinct().Count()));
    }

    [Theory]
    [MemberData(nameof(Crowds))]
    public void Servers_get_about_as_many_connections_each(int servers, int connections)
    {
        var plan = Plan(servers, connections);

        var counts = Enumerable.Range(0, connections).CountBy(client => plan.TargetOf(client, attempt: 0)).Select(pair => pair.Value).ToList();

        Assert.Equal(Math.Min(servers, connections), counts.Count);
        Assert.InRange(counts.Max() - counts.Min(), 0, plan.PerUser);
    }

    private static CrowdPlan Plan(int servers, int connections) => new()
    {
        Connections = connections,
        Targets = [.. Enumerable.Range(5_001, servers).Select(port => new UriBuilder("http", "127.0.0.1", port).Uri)],
    };
}

using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Cluster.Tests.Connections;

/// <summary>A user's cap over two frontends, with every process alive.</summary>
public sealed class ConnectionCapTests(ClusterFixture fixture) : SharedClusterTests(fixture)
{
    private const int Cap = 5;
    private static readonly TimeSpan GivenBackWithin = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task Of_six_connections_of_one_user_over_two_frontends_exactly_five_live()
    {
        var user = await Fixture.NewUserAsync();
        var clients = new List<LiveClient>();
        try
        {
            for (var i = 0; i <= Cap; i++)
            {
                clients.Add(await LiveClient.ConnectAsync(user, Frontend(i)));
            }

            await AssertFiveLiveAsync(clients);
            Assert.Equal(HttpStatusCode.TooManyRequests, clients[Cap].Status);
            await AssertRefusalIsExplainedAsync(user);

            await clients[0].DisposeAsync();
            await ClusterFixture.EventuallyAsync(
                async () =>
                {
                    clients.Add(await LiveClient.ConnectAsync(user, Frontend(1)));
                    return clients[^1].IsLive;
                },
                GivenBackWithin,
                "nobody got in for the one that left");
            Assert.Equal(HttpStatusCode.TooManyRequests, await LiveClient.TryAsync(user, Frontend(0)));
        }
        finally
        {
            await DisposeAsync(clients);
        }
    }

    [Fact]
    public async Task Of_six_connections_at_the_same_moment_over_two_frontends_exactly_five_live()
    {
        for (var round = 0; round < 3; round++)
        {
            var user = await Fixture.NewUserAsync();
            var clients = await Task.WhenAll(Enumerable.Range(0, Cap + 1).Select(i => LiveClient.ConnectAsync(user, Frontend(i))));
            try
            {
                await AssertFiveLiveAsync(clients);
                Assert.Single(clients, client => client.Status == HttpStatusCode.TooManyRequests);
            }
            finally
            {
                await DisposeAsync(clients);
            }
        }
    }

    private Uri Frontend(int i) => Fixture.Cluster.Frontends[i % 2].Address;

    private static async Task AssertFiveLiveAsync(IEnumerable<LiveClient> clients)
    {
        var live = clients.Where(client => client.IsLive).ToList();
        Assert.Equal(Cap, live.Count);
        Assert.All(await Task.WhenAll(live.Select(client => client.AnswersAsync())), Assert.True);
    }

    private async Task AssertRefusalIsExplainedAsync(ClusterUser user)
    {
        using var client = user.ClientOf(Frontend(0));
        using var answer = await client.PostAsync("/hubs/live/negotiate?negotiateVersion=1", content: null);
        Assert.Equal(HttpStatusCode.TooManyRequests, answer.StatusCode);
        Assert.NotNull(answer.Headers.RetryAfter);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        var problem = await answer.Content.ReadFromJsonAsync<JsonObject>();
        Assert.EndsWith("connection-limit", (string)problem!["type"]!, StringComparison.Ordinal);
    }

    private static async Task DisposeAsync(IEnumerable<LiveClient> clients)
    {
        foreach (var client in clients)
        {
            await client.DisposeAsync();
        }
    }
}

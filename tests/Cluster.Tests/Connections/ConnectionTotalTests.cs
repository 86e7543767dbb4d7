using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Cluster.Tests.Connections;

/// <summary>The cluster's total over two frontends, with every process alive, under a cap that an operator lowers.</summary>
public sealed class ConnectionTotalTests(ClusterFixture fixture) : SharedClusterTests(fixture)
{
    private const string Caps = "/api/v1/operations/connections/caps";
    private const int Total = 12;
    private static readonly TimeSpan RefusedWithin = TimeSpan.FromSeconds(3); // a second, on a machine that does nothing else

    [Fact]
    public async Task Of_a_lowered_total_exactly_that_many_live_over_two_frontends_and_the_next_is_refused_soon()
    {
        var user = await Fixture.NewUserAsync(ClusterFixture.Operator);
        using var client = user.ClientOf(Frontend(0));
        var users = new[] { await Fixture.NewUserAsync(), await Fixture.NewUserAsync(), await Fixture.NewUserAsync() };
        var clients = new List<LiveClient>();
        var settings = (await client.GetFromJsonAsync<JsonObject>(Caps))!["settings"]!.DeepClone().AsObject();
        settings["total"] = Total;
        await SendAsync(client, HttpMethod.Put, JsonContent.Create(settings));
        try
        {
            // One on the first frontend, which then holds some that it doesn't use; all others on the second.
            for (var i = 0; i < Total; i++)
            {
                clients.Add(await LiveClient.ConnectAsync(users[i % users.Length], Frontend(Math.Min(i, 1))));
                Assert.Equal(HttpStatusCode.SwitchingProtocols, clients[i].Status);
            }

            foreach (var frontend in new[] { Frontend(0), Frontend(1) })
            {
                var startedAt = TimeProvider.System.GetTimestamp();
                Assert.Equal(HttpStatusCode.ServiceUnavailable, await LiveClient.TryAsync(users[0], frontend));
                Assert.InRange(TimeProvider.System.GetElapsedTime(startedAt), TimeSpan.Zero, RefusedWithin);
            }

            Assert.All(await Task.WhenAll(clients.Select(live => live.AnswersAsync())), Assert.True);
        }
        finally
        {
            await SendAsync(client, HttpMethod.Delete); // others count on what is configured
            foreach (var live in clients)
            {
                await live.DisposeAsync();
            }
        }
    }

    private Uri Frontend(int i) => Fixture.Cluster.Frontends[i].Address;

    private static async Task SendAsync(HttpClient client, HttpMethod method, HttpContent? content = null)
    {
        using var request = new HttpRequestMessage(method, Caps) { Content = content, Headers = { { "If-Match", "*" } } };
        using var answer = await client.SendAsync(request);
        Assert.True(answer.IsSuccessStatusCode, $"{method} {Caps} answered {answer.StatusCode}");
    }
}

using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Cluster.Tests.Limits;

/// <summary>Policies that an operator changes while real frontends and silos run.</summary>
public sealed class PolicyChangeTests(ClusterFixture fixture, ITestOutputHelper output) : SharedClusterTests(fixture)
{
    private const string Policy = "/api/v1/operations/limits/email-check"; // 20 a minute
    private const int Lowered = 7;
    private const int Counted = 8;
    private static readonly TimeSpan FeltWithin = TimeSpan.FromSeconds(1);

    /// <summary>So few fit into the second that over both frontends they don't use up the configured limit.</summary>
    private static readonly TimeSpan AskEvery = TimeSpan.FromMilliseconds(200);

    private readonly List<string> _late = [];

    [Fact]
    public async Task A_lowered_limit_binds_on_every_frontend_within_a_second_and_counts_are_kept()
    {
        var user = await Fixture.NewUserAsync(ClusterFixture.Operator);
        var frontends = Fixture.Cluster.Frontends.Select(frontend => frontend.Address).ToList();
        using var client = user.ClientOf(frontends[0]);
        var isFelt = await IsFeltAsync(client, frontends);
        for (var attempt = 2; !isFelt && attempt <= 3; attempt++) // any one may be held up
        {
            await Task.Delay(TimeSpan.FromSeconds(5), TimeProvider.System); // what was changed back has to be felt first
            isFelt = await IsFeltAsync(client, frontends);
        }

        Assert.True(isFelt, string.Join("; ", _late));
    }

    /// <summary>Whether a change, a reset and the change back were each felt within a second; checks whatever doesn't hang on that.</summary>
    private async Task<bool> IsFeltAsync(HttpClient client, List<Uri> frontends)
    {
        var (address, fresh) = (ClusterFixture.NewAddress(), ClusterFixture.NewAddress());
        for (var i = 0; i < Counted; i++)
        {
            Assert.Equal(HttpStatusCode.OK, await AskAsync(frontends[i % frontends.Count], address));
        }

        var settings = (await client.GetFromJsonAsync<JsonObject>(Policy))!["settings"]!.DeepClone().AsObject();
        settings["limit"] = Lowered;
        await SendAsync(client, HttpMethod.Put, Policy, JsonContent.Create(settings));
        try
        {
            // Eight are more than seven: the partition that was counted is refused wherever it asks.
            if (!await IsFeltAsync(frontends, address, HttpStatusCode.TooManyRequests))
            {
                return false;
            }

            // By now all have heard of it: a new partition gets exactly the new limit, over both.
            var answers = await Task.WhenAll(Enumerable.Range(0, 30).Select(i => AskAsync(frontends[i % frontends.Count], fresh)));
            Assert.Equal(Lowered, answers.Count(answer => answer == HttpStatusCode.OK));
            var view = (await client.GetFromJsonAsync<JsonObject>($"{Policy}/partitions/{fresh}"))!;
            Assert.Equal((Lowered, Lowered, 0), ((int)view["limit"]!, (int)view["used"]!, (int)view["remaining"]!));

            // What is reset for one is forgotten by all.
            await SendAsync(client, HttpMethod.Delete, $"{Policy}/partitions/{fresh}");
            if (!await IsFeltAsync(frontends, fresh, HttpStatusCode.OK))
            {
                return false;
            }
        }
        finally
        {
            await SendAsync(client, HttpMethod.Delete, Policy); // others count on what is configured
        }

        return await IsFeltAsync(frontends, address, HttpStatusCode.OK); // 20 a minute again, of which not all are used
    }

    private async Task<bool> IsFeltAsync(List<Uri> frontends, string address, HttpStatusCode status)
    {
        foreach (var frontend in frontends)
        {
            var startedAt = TimeProvider.System.GetTimestamp();
            while (await AskAsync(frontend, address) != status)
            {
                if (TimeProvider.System.GetElapsedTime(startedAt) > FeltWithin)
                {
                    _late.Add($"{status} did not come from {frontend} within a second");
                    return false;
                }

                await Task.Delay(AskEvery, TimeProvider.System);
            }

            output.WriteLine($"{status} came from {frontend} after {TimeProvider.System.GetElapsedTime(startedAt).TotalMilliseconds:F0} ms");
        }

        return true;
    }

    private static async Task<HttpStatusCode> AskAsync(Uri frontend, string address)
    {
        using var client = new HttpClient { BaseAddress = frontend, DefaultRequestHeaders = { { "X-Forwarded-For", address } } };
        using var answer = await client.PostAsJsonAsync("/api/v1/auth/email-check", new { email = "ada@example.org" });
        return answer.StatusCode;
    }

    private static async Task SendAsync(HttpClient client, HttpMethod method, string path, HttpContent? content = null)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content, Headers = { { "If-Match", "*" } } };
        using var answer = await client.SendAsync(request);
        Assert.True(answer.IsSuccessStatusCode, $"{method} {path} answered {answer.StatusCode}");
    }
}

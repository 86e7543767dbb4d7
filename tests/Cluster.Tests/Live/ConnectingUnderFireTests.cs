using System.Collections.Concurrent;
using System.Net;
using Marketplace.Cluster;

namespace Cluster.Tests.Live;

/// <summary>Clients that connect while a silo dies.</summary>
public sealed class ConnectingUnderFireTests(ClusterFixture fixture, ITestOutputHelper output) : SharedClusterTests(fixture)
{
    private const int Clients = 8;
    private static readonly TimeSpan Before = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan After = TimeSpan.FromSeconds(6);
    private static readonly TimeProvider Clock = TimeProvider.System;

    [Fact]
    public async Task Who_is_admitted_while_a_silo_dies_is_served_if_late_and_never_closed()
    {
        var users = new List<ClusterUser>();
        for (var i = 0; i < Clients; i++)
        {
            users.Add(await Fixture.NewUserAsync());
        }

        foreach (var silo in Fixture.Cluster.Silos)
        {
            await KillAsync(silo, users);
        }
    }

    private async Task KillAsync(ManagedProcess silo, IReadOnlyList<ClusterUser> users)
    {
        using var enough = new CancellationTokenSource();
        var outcomes = new ConcurrentQueue<string>();
        var workers = users.Select((user, i) => Task.Run(async () =>
        {
            while (!enough.IsCancellationRequested)
            {
                outcomes.Enqueue(await TryAsync(user, Fixture.Cluster.Frontends[i % 2].Address));
            }
        })).ToArray();

        await Task.Delay(Before, Clock);
        silo.Kill();
        await Task.Delay(After, Clock);
        await enough.CancelAsync();
        await Task.WhenAll(workers);
        await ClusterFixture.BackAsync(silo);

        var counts = outcomes.GroupBy(outcome => outcome).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => $"{group.Count()} x {group.Key}");
        var summary = $"{silo.Name} killed: {string.Join(", ", counts)}";
        output.WriteLine(summary);
        Assert.True(outcomes.All(outcome => outcome is "served" or "503" or "429"), summary);
        Assert.Contains("served", outcomes);
    }

    private static async Task<string> TryAsync(ClusterUser user, Uri frontend)
    {
        await using var client = await LiveClient.ConnectAsync(user, frontend);
        if (client.Status != HttpStatusCode.SwitchingProtocols)
        {
            return $"{(int)client.Status}";
        }

        try
        {
            // Answered only when the hub has taken the connection in.
            return await client.AnswersAsync() ? "served" : "closed";
        }
        catch (Exception error)
        {
            return $"{error.GetType().Name}: {error.Message}";
        }
    }
}

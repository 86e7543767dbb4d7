using System.Net;
using System.Net.Http.Json;

namespace Cluster.Tests.Live;

public sealed class LiveAcrossFrontendsTests(ClusterFixture fixture) : SharedClusterTests(fixture)
{
    [Fact]
    public async Task A_message_from_one_frontend_reaches_a_user_a_group_and_all_on_the_other()
    {
        var (here, there) = (Fixture.Cluster.Frontends[0].Address, Fixture.Cluster.Frontends[1].Address);
        var (user, other) = (await Fixture.NewUserAsync(), await Fixture.NewUserAsync());
        var operatorUser = await Fixture.NewUserAsync(ClusterFixture.Operator);
        await using var sender = await LiveClient.ConnectAsync(other, here);
        await using var listener = await LiveClient.ConnectAsync(user, there);
        await using var bystander = await LiveClient.ConnectAsync(other, there);
        Assert.True(sender.IsLive && listener.IsLive && bystander.IsLive);
        using var asOperator = operatorUser.ClientOf(here);

        await sender.InvokeAsync("JoinRoom", "lobby");
        await listener.InvokeAsync("JoinRoom", "lobby");
        await listener.InvokeAsync("Resume", [new[] { new { channel = "inbox" } }]);
        await sender.InvokeAsync("SendChat", "m-1", "To the lobby");
        await PostAsync(asOperator, "notifications", new { userId = user.Id, text = "To one user" });
        await PostAsync(asOperator, "broadcast", new { text = "To everyone" });

        Assert.Equal("To the lobby", await listener.NextAsync("Chat"));
        Assert.Equal("To the lobby", await sender.NextAsync("Chat"));
        Assert.Equal("To one user", await listener.NextAsync("Notification"));
        foreach (var client in new[] { sender, listener, bystander })
        {
            Assert.Equal("To everyone", await client.NextAsync("Broadcast"));
        }

        Assert.Equal(0, bystander.Count("Chat") + bystander.Count("Notification") + sender.Count("Notification"));
    }

    private static async Task PostAsync(HttpClient client, string operation, object body)
    {
        using var answer = await client.PostAsJsonAsync($"/api/v1/operations/{operation}", body);
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
    }
}

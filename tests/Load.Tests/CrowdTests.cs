using Marketplace.Bench.Load.Driver;

namespace Load.Tests;

public sealed class CrowdTests
{
    [Fact]
    public async Task Those_who_come_after_a_close_name_their_messages_anew()
    {
        await using var crowd = new Crowd(new() { Connections = 1, Targets = [] });
        var before = crowd.Run;

        await crowd.CloseAsync();

        Assert.NotEqual(before, crowd.Run);
    }
}

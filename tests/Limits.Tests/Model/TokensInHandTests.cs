using Marketplace.Limits;

namespace Limits.Tests.Model;

/// <summary>Tokens in a frontend's hand are not lost when few of them are spent.</summary>
public sealed class TokensInHandTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(13)]
    [InlineData(40)]
    public void A_client_that_asks_for_less_than_comes_back_finds_the_bucket_full(int secondsBetween)
    {
        var world = new World(seed: 1, new(
            new() { Algorithm = LimitAlgorithm.TokenBucket, Limit = 200, Window = TimeSpan.FromSeconds(200), Refill = 200 }, Frontends: 1));
        var frontend = world.Frontends[0];
        for (var i = 0; i < 60; i++)
        {
            frontend.Ask();
            world.Run(world.Now + TimeSpan.FromSeconds(secondsBetween));
        }

        for (var i = 0; i < 190; i++)
        {
            frontend.Ask();
        }

        world.Run(world.Now + TimeSpan.FromSeconds(1));
        Assert.Null(world.Judge.Verdict);
        Assert.Equal((250, 0), (frontend.Admitted, frontend.Refused));
    }
}

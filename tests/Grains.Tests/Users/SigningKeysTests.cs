using System.Net;
using System.Net.Sockets;
using Marketplace.Grains.Users;
using Marketplace.Testing;
using Marketplace.Trouble;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Microsoft.IdentityModel.JsonWebTokens;
using Npgsql;

namespace Grains.Tests.Users;

public sealed class SigningKeysTests
{
    [Fact]
    public async Task Silos_that_start_at_once_make_one_key_and_rotate_to_one_more()
    {
        await using var database = await TestDatabase.CreateAsync();
        var clock = new FakeTimeProvider(new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero));
        var silos = Enumerable.Range(0, 8).Select(_ => new SigningKeys(
            database, Options.Create(new UsersSettings()), clock, NullLogger<SigningKeys>.Instance)).ToList();

        async Task<string> KeyOfAllAsync()
        {
            var keys = await Task.WhenAll(silos.Select(silo => Task.Run(async () => (await silo.GetCurrentAsync()).Id)));
            return Assert.Single(keys.Distinct());
        }

        var first = await KeyOfAllAsync();
        clock.Advance(TimeSpan.FromDays(30) - TimeSpan.FromMinutes(50));
        Assert.Equal(first, await KeyOfAllAsync());
        var published = await silos[0].GetPublicAsync();
        Assert.Equal(2, published.Count); // the next one is known before it signs

        clock.Advance(TimeSpan.FromMinutes(51));
        var second = await KeyOfAllAsync();
        Assert.NotEqual(first, second);
        Assert.Contains(await silos[0].GetPublicAsync(), key => key.Id == first); // its last tokens still live

        clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal([second], (await silos[0].GetPublicAsync()).Select(key => key.Id));
        silos.ForEach(silo => silo.Dispose());
    }

    [Fact]
    public async Task No_token_outlives_its_key_though_tokens_last_longer_than_when_the_key_was_made()
    {
        await using var database = await TestDatabase.CreateAsync();
        var clock = new FakeTimeProvider(new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero));
        using (var before = new SigningKeys(database, Options.Create(new UsersSettings()), clock, NullLogger<SigningKeys>.Instance))
        {
            await before.GetCurrentAsync();
        }

        var settings = Options.Create(new UsersSettings { AccessTokenLifetime = TimeSpan.FromHours(1) });
        using var keys = new SigningKeys(database, settings, clock, NullLogger<SigningKeys>.Instance);
        var issuer = new AccessTokenIssuer(keys, settings, clock);

        async Task<TimeSpan> LifetimeAsync()
        {
            var (token, expiresIn) = issuer.Issue(await issuer.KeyAsync(), Guid.NewGuid(), Guid.NewGuid(), [], emailVerified: true);
            Assert.Equal(clock.GetUtcNow() + expiresIn, new JsonWebToken(token).ValidTo);
            return expiresIn;
        }

        Assert.Equal(TimeSpan.FromHours(1), await LifetimeAsync());
        clock.Advance(TimeSpan.FromDays(30) - TimeSpan.FromMinutes(1));
        Assert.Equal(TimeSpan.FromMinutes(11), await LifetimeAsync());
        clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(TimeSpan.FromHours(1), await LifetimeAsync()); // by the next key
    }

    [Fact]
    public async Task A_clock_that_is_set_back_stops_nobody_from_loading_keys()
    {
        await using var database = await TestDatabase.CreateAsync();
        var clock = new WallClock { Ahead = TimeSpan.FromHours(1) };
        using var early = new SigningKeys(database, Options.Create(new UsersSettings()), clock, NullLogger<SigningKeys>.Instance);
        var ahead = await early.GetCurrentAsync();

        clock.Ahead = TimeSpan.Zero; // the key made above signs in an hour
        clock.Advance(TimeSpan.FromSeconds(1));
        using var other = new SigningKeys(database, Options.Create(new UsersSettings()), clock, NullLogger<SigningKeys>.Instance);
        var current = await other.GetCurrentAsync();

        Assert.NotEqual(ahead.Id, current.Id);
        Assert.Equal(current.Id, (await early.GetCurrentAsync()).Id);
        Assert.Contains(await early.GetPublicAsync(), key => key.Id == current.Id);
    }

    [Fact]
    public async Task Those_who_wait_while_PostgreSQL_is_away_share_one_attempt()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        await using var away = NpgsqlDataSource.Create(
            $"Host=127.0.0.1;Port={((IPEndPoint)listener.LocalEndpoint).Port};Username=any;SSL Mode=Disable;GSS Encryption Mode=Disable");
        using var keys = new SigningKeys(
            away, Options.Create(new UsersSettings()), TimeProvider.System, NullLogger<SigningKeys>.Instance);
        var asking = Enumerable.Range(0, 5).Select(_ => keys.GetCurrentAsync().AsTask()).ToList();

        (await listener.AcceptSocketAsync(TestContext.Current.CancellationToken)).Dispose();

        foreach (var asked in asking)
        {
            await Assert.ThrowsAsync<UnavailableException>(() => asked.WaitAsync(TimeSpan.FromSeconds(10)));
        }

        Assert.False(listener.Pending());
    }

    /// <summary>A wall clock that can be set, beside the monotonic one that can't.</summary>
    private sealed class WallClock : FakeTimeProvider
    {
        public TimeSpan Ahead { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Ahead;

        public override long GetTimestamp() => base.GetUtcNow().Ticks;
    }
}

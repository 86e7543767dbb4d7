using Marketplace.Grains.Users;
using Marketplace.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Npgsql;

namespace Grains.Tests.Users;

public sealed class UsersSweeperTests : IAsyncLifetime
{
    private NpgsqlDataSource _database = null!;

    public async ValueTask InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync();
        await ExecuteAsync(
            """
            INSERT INTO users (id, email, email_folded, verified_at, display_name, time_zone, roles, password_hash, version, created_at)
            SELECT gen_random_uuid(), name, name, verified_at, name, 'UTC', '{candidate}', '', 1, now() - age
            FROM (VALUES ('member', now(), interval '1 y'), ('waits', NULL, interval '2 h'), ('forgot', NULL, interval '25 h'))
              AS u (name, verified_at, age);
            INSERT INTO email_verifications (token_hash, user_id, password_hash, display_name, time_zone, created_at, expires_at)
            SELECT sha256(email::bytea), id, '', '', 'UTC', created_at, created_at + interval '24 h' FROM users WHERE verified_at IS NULL;
            INSERT INTO session_families (id, user_id, created_at, expires_at)
            SELECT gen_random_uuid(), id, now(), now() + left_for FROM users, (VALUES (interval '1 d'), (interval '-1 s')) AS s (left_for)
            WHERE email = 'member';
            INSERT INTO signing_keys (id, private_key, signs_from, signs_until, verifies_until)
            SELECT name, '', now() - interval '60 d', now() - interval '30 d', now() + left_for
            FROM (VALUES ('verifies', interval '1 h'), ('over', interval '-1 h')) AS k (name, left_for);
            INSERT INTO mail_outbox (id, user_id, recipient, subject, body, created_at, next_attempt_at)
            SELECT gen_random_uuid(), id, email, '', '', now(), now() FROM users WHERE email <> 'member';
            """);
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    [Theory]
    [InlineData(0)]
    [InlineData(40)]
    [InlineData(-40)]
    public async Task What_has_run_out_goes_and_nothing_else_whatever_the_silos_clock_says(int daysAhead)
    {
        await SweepAsync(new FakeTimeProvider(TimeProvider.System.GetUtcNow().AddDays(daysAhead)), new UsersSettings());

        Assert.Equal("member,waits", await NamesAsync("SELECT email FROM users"));
        Assert.Equal("waits", await NamesAsync("SELECT u.email FROM email_verifications JOIN users u ON u.id = user_id"));
        Assert.Equal("member", await NamesAsync("SELECT u.email FROM session_families JOIN users u ON u.id = user_id"));
        Assert.Equal("verifies", await NamesAsync("SELECT id FROM signing_keys"));
        Assert.Equal("waits", await NamesAsync("SELECT recipient FROM mail_outbox"));
    }

    [Fact]
    public async Task A_link_is_good_for_as_long_as_it_was_mailed_for()
    {
        await SweepAsync(new FakeTimeProvider(TimeProvider.System.GetUtcNow()), new() { VerificationLifetime = TimeSpan.FromHours(1) });

        Assert.Equal("member,waits", await NamesAsync("SELECT email FROM users"));
    }

    /// <summary>One sweep, which has ended when what it deletes last is gone.</summary>
    private async Task SweepAsync(TimeProvider clock, UsersSettings settings)
    {
        using var sweeper = new UsersSweeper(_database, Options.Create(settings), clock, NullLogger<UsersSweeper>.Instance);
        await sweeper.StartAsync(default);
        var startedAt = TimeProvider.System.GetTimestamp();
        while (await NamesAsync("SELECT recipient FROM mail_outbox WHERE recipient = 'forgot'") != "")
        {
            Assert.True(TimeProvider.System.GetElapsedTime(startedAt) < TimeSpan.FromSeconds(20), "the sweep didn't end");
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        }

        await sweeper.StopAsync(default);
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var connection = await _database.OpenConnectionAsync();
        await using var command = new NpgsqlBatch(connection);
        foreach (var statement in sql.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            command.BatchCommands.Add(new(statement));
        }

        await command.ExecuteNonQueryAsync();
    }

    private async Task<string> NamesAsync(string select)
    {
        await using var command = _database.CreateCommand($"SELECT coalesce(string_agg(name, ',' ORDER BY name), '') FROM ({select}) AS s (name)");
        return (string)(await command.ExecuteScalarAsync())!;
    }
}

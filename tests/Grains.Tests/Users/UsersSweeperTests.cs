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

    [Theory]
    [InlineData("users")]
    [InlineData("session_families")]
    [InlineData("signing_keys")]
    public async Task What_cannot_be_deleted_holds_up_nothing_else(string table)
    {
        await ExecuteAsync(
            $"""
            CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'it stays'; END $$;
            CREATE TRIGGER keep BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION keep();
            UPDATE mail_outbox SET user_id = NULL, parked_at = now() - interval '31 d' WHERE recipient = 'forgot';
            """);

        await SweepAsync(new FakeTimeProvider(), new UsersSettings());

        Assert.Equal(table, await NamesAsync(
            """
            SELECT 'users' FROM users WHERE email = 'forgot'
            UNION ALL SELECT 'email_verifications' FROM email_verifications WHERE expires_at < now()
            UNION ALL SELECT 'session_families' FROM session_families WHERE expires_at < now()
            UNION ALL SELECT 'signing_keys' FROM signing_keys WHERE verifies_until < now()
            """));
    }

    [Fact]
    public async Task However_much_has_run_out_all_of_it_goes_and_no_statement_deletes_more_than_it_can_in_its_time()
    {
        await ExecuteAsync(
            """
            INSERT INTO refresh_tokens (token_hash, family_id, issued_at)
            SELECT sha256(i::text::bytea), id, now() FROM session_families, generate_series(1, 20001) AS i WHERE expires_at < now();
            INSERT INTO session_families (id, user_id, created_at, expires_at)
            SELECT gen_random_uuid(), id, now(), now() - interval '1 s' FROM users, generate_series(1, 10001) WHERE email = 'member';
            INSERT INTO users (id, email, email_folded, display_name, time_zone, roles, password_hash, version, created_at)
            SELECT gen_random_uuid(), i, i, i, 'UTC', '{candidate}', '', 1, now() - interval '25 h' FROM generate_series(1, 10001) AS i;
            INSERT INTO email_verifications (token_hash, user_id, password_hash, display_name, time_zone, created_at, expires_at)
            SELECT sha256(i::text::bytea), id, '', '', 'UTC', now(), now() - interval '1 h'
            FROM users, generate_series(1, 10001) AS i WHERE email = 'member';
            INSERT INTO mail_outbox (id, recipient, subject, body, created_at, next_attempt_at, parked_at)
            SELECT gen_random_uuid(), 'parked', '', '', now(), now(), now() - interval '31 d' FROM generate_series(1, 10001);
            INSERT INTO mail_outbox (id, user_id, recipient, subject, body, created_at, next_attempt_at)
            SELECT gen_random_uuid(), gen_random_uuid(), 'forgot', '', '', now(), now() FROM generate_series(1, 10001);
            CREATE TABLE deletions (name text, rows bigint);
            CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
              $$ BEGIN INSERT INTO deletions SELECT TG_TABLE_NAME, count(*) FROM gone; RETURN NULL; END $$;
            """);
        foreach (var table in new[] { "users", "email_verifications", "session_families", "refresh_tokens", "mail_outbox" })
        {
            await ExecuteAsync(
                $"CREATE TRIGGER note AFTER DELETE ON {table} REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note()");
        }

        await SweepAsync(new FakeTimeProvider(), new UsersSettings());

        Assert.Equal(
            "email_verifications 10000,mail_outbox 10000,refresh_tokens 10000,session_families 10000,users 10000",
            await NamesAsync("SELECT name || ' ' || max(rows) FROM deletions GROUP BY name"));
        Assert.Equal("member,waits", await NamesAsync("SELECT email FROM users"));
        Assert.Equal("", await NamesAsync("SELECT family_id::text FROM refresh_tokens"));
        Assert.Equal("member", await NamesAsync("SELECT u.email FROM session_families JOIN users u ON u.id = user_id"));
        Assert.Equal("waits", await NamesAsync("SELECT u.email FROM email_verifications JOIN users u ON u.id = user_id"));
        Assert.Equal("waits", await NamesAsync("SELECT recipient FROM mail_outbox"));
    }

    [Fact]
    public async Task A_silo_that_stops_does_not_wait_for_its_sweep()
    {
        await using var connection = await _database.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var hold = new NpgsqlCommand("LOCK TABLE email_verifications", connection);
        await hold.ExecuteNonQueryAsync();
        using var sweeper = new UsersSweeper(
            _database, Options.Create(new UsersSettings()), new FakeTimeProvider(), NullLogger<UsersSweeper>.Instance);
        await sweeper.StartAsync(default);
        await UntilAsync("SELECT 'waiting' FROM pg_locks WHERE NOT granted", "waiting");

        await sweeper.StopAsync(default).WaitAsync(TimeSpan.FromSeconds(5));
    }

    /// <summary>One sweep, which has ended when what it deletes last is gone.</summary>
    private async Task SweepAsync(TimeProvider clock, UsersSettings settings)
    {
        using var sweeper = new UsersSweeper(_database, Options.Create(settings), clock, NullLogger<UsersSweeper>.Instance);
        await sweeper.StartAsync(default);
        await UntilAsync("SELECT DISTINCT recipient FROM mail_outbox WHERE recipient = 'forgot'", "");
        await sweeper.StopAsync(default);
    }

    private async Task UntilAsync(string select, string names)
    {
        var startedAt = TimeProvider.System.GetTimestamp();
        while (await NamesAsync(select) != names)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(startedAt) < TimeSpan.FromSeconds(20), $"'{names}' did not come");
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        }
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = _database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    private async Task<string> NamesAsync(string select)
    {
        await using var command = _database.CreateCommand($"SELECT coalesce(string_agg(name, ',' ORDER BY name), '') FROM ({select}) AS s (name)");
        return (string)(await command.ExecuteScalarAsync())!;
    }
}

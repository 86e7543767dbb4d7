using Marketplace.Grains.Realtime.History;
using Marketplace.Testing;
using Npgsql;

namespace Grains.Tests.Realtime;

/// <summary>What docs/operations.md has an operator do after a dump was restored.</summary>
public sealed class RestoredChannelTests
{
    private const string AfterRestore = """
        SELECT setval('channel_epoch', nextval('channel_epoch') + 1000000);
        UPDATE channels SET epoch = nextval('channel_epoch');
        """;

    /// <summary>Clients may know numbers that the dump doesn't, under which something else will be kept now.</summary>
    [Fact]
    public async Task No_position_of_before_a_restore_is_taken_for_one_of_after_it()
    {
        await using var dataSource = await TestDatabase.CreateAsync();
        await using var store = new PostgresHistoryStore(dataSource);
        var before = await store.OpenAsync("room");
        await ExecuteAsync(dataSource, "INSERT INTO channel_messages (channel, number, message_id, method, arguments) VALUES ('room', 1, 'a', 'said', '[]')");

        await ExecuteAsync(dataSource, AfterRestore);

        var after = await store.FindAsync("room");
        Assert.True(after!.Epoch > before.Epoch + 1_000_000);
        Assert.Empty(await store.ReadAsync("room", before.Epoch, after: 0));
        Assert.Single(await store.ReadAsync("room", after.Epoch, after: 0));
        Assert.True((await store.OpenAsync("another")).Epoch > after.Epoch);
    }

    private static async Task ExecuteAsync(NpgsqlDataSource dataSource, string sql)
    {
        await using var command = dataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}

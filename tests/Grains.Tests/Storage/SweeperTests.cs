using Marketplace.Grains.Limits.Storage;
using Marketplace.Grains.Realtime.History;
using Marketplace.Grains.Users;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Npgsql;

namespace Grains.Tests.Storage;

/// <summary>A sweeper that ended would end its silo, for what the next sweep can do as well.</summary>
public sealed class SweeperTests : IDisposable
{
    private readonly FakeTimeProvider _clock = new();
    private readonly NpgsqlDataSource _database = NpgsqlDataSource.Create("Host=127.0.0.1");

    [Theory]
    [InlineData("buckets")]
    [InlineData("history")]
    [InlineData("users")]
    public async Task A_sweep_that_fails_with_whatever_it_may_be_is_tried_again(string name)
    {
        using BackgroundService sweeper = name switch
        {
            "buckets" => new BucketSweeper(_database, _clock, NullLogger<BucketSweeper>.Instance),
            "history" => new HistorySweeper(_database, Options.Create(new HistorySettings()), _clock, NullLogger<HistorySweeper>.Instance),
            _ => new UsersSweeper(_database, Options.Create(new UsersSettings()), _clock, NullLogger<UsersSweeper>.Instance),
        };
        await _database.DisposeAsync(); // each sweep fails, and not with an NpgsqlException

        await sweeper.StartAsync(default);
        for (var i = 0; i < 3; i++)
        {
            _clock.Advance(TimeSpan.FromHours(1));
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        }

        Assert.False(sweeper.ExecuteTask!.IsCompleted, sweeper.ExecuteTask.Exception?.Message);
        await sweeper.StopAsync(default);
    }

    public void Dispose() => _database.Dispose();
}

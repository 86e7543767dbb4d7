using Marketplace.Grains.Storage;
using Marketplace.Testing;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Orleans.Storage;
using Orleans.TestingHost;

namespace Grains.Tests.Storage;

/// <summary>Orleans' own storage provider, twice, on our schema.</summary>
public sealed class FirstWriteTests : IAsyncLifetime
{
    private NpgsqlDataSource _dataSource = null!;
    private InProcessTestCluster _cluster = null!;
    private IGrainStorage[] _storages = null!;

    public async ValueTask InitializeAsync()
    {
        _dataSource = await TestDatabase.CreateAsync();
        var builder = new InProcessTestClusterBuilder(initialSilosCount: 2);
        builder.ConfigureSilo((_, silo) => silo.AddAdoNetGrainStorage("postgres", options =>
        {
            options.Invariant = "Npgsql";
            options.DataSource = _dataSource;
            options.DeleteStateOnClear = true;
            options.GrainStorageSerializer = new ReadableJsonSerializer();
        }));
        _cluster = builder.Build();
        await _cluster.DeployAsync();
        _storages = [.. _cluster.Silos.Select(silo => silo.ServiceProvider.GetRequiredKeyedService<IGrainStorage>("postgres"))];
    }

    public async ValueTask DisposeAsync()
    {
        await _cluster.DisposeAsync();
        await _dataSource.DisposeAsync();
    }

    [Theory]
    [InlineData("integer")]
    [InlineData("text")]
    public async Task Of_two_first_writes_one_wins_a_thousand_times_and_the_row_stays_readable(string kind)
    {
        for (var i = 0; i < 500; i++)
        {
            var grain = kind == "text" ? GrainId.Create(kind, $"key {i}") : GrainId.Create(GrainType.Create(kind), GrainIdKeyExtensions.CreateIntegerKey(i));

            var winners = await Task.WhenAll(_storages.Select((storage, writer) => TryWriteAsync(storage, grain, writer)));

            var winner = Array.IndexOf(winners, true);
            Assert.Single(winners, won => won);
            var read = new GrainState<Note>();
            await _storages[0].ReadStateAsync("note", grain, read);
            Assert.Equal(winner, read.State!.Writer);
        }
    }

    [Fact]
    public async Task State_is_written_read_cleared_and_written_again()
    {
        var grain = GrainId.Create("text", "life");
        var state = new GrainState<Note>(new Note(1));
        await _storages[0].WriteStateAsync("note", grain, state);
        var first = int.Parse(state.ETag!, null);
        await _storages[0].WriteStateAsync("note", grain, state);
        Assert.Equal(first + 1, int.Parse(state.ETag!, null));

        await _storages[0].ClearStateAsync("note", grain, state);
        await using var count = _dataSource.CreateCommand("SELECT count(*) FROM orleansstorage");
        Assert.Equal(0L, await count.ExecuteScalarAsync());

        var again = new GrainState<Note>(new Note(2));
        await _storages[1].WriteStateAsync("note", grain, again);
        var read = new GrainState<Note>();
        await _storages[0].ReadStateAsync("note", grain, read);
        Assert.Equal(2, read.State!.Writer);
    }

    [Fact]
    public async Task A_row_that_was_deleted_and_came_back_is_not_taken_for_its_predecessor()
    {
        var grain = GrainId.Create("text", "twice");
        var asleep = new GrainState<Note>(new Note(1));
        await _storages[0].WriteStateAsync("note", grain, asleep);
        var other = new GrainState<Note>();
        await _storages[1].ReadStateAsync("note", grain, other);
        await _storages[1].ClearStateAsync("note", grain, other);
        await _storages[1].WriteStateAsync("note", grain, new GrainState<Note>(new Note(2)));

        await Assert.ThrowsAsync<InconsistentStateException>(() => _storages[0].WriteStateAsync("note", grain, asleep));
    }

    [Fact]
    public async Task A_writer_with_an_old_etag_is_refused()
    {
        var grain = GrainId.Create("text", "fenced");
        var state = new GrainState<Note>(new Note(1));
        await _storages[0].WriteStateAsync("note", grain, state);
        var other = new GrainState<Note>();
        await _storages[1].ReadStateAsync("note", grain, other);
        await _storages[1].WriteStateAsync("note", grain, other);

        await Assert.ThrowsAsync<InconsistentStateException>(() => _storages[0].WriteStateAsync("note", grain, state));
        await Assert.ThrowsAsync<InconsistentStateException>(() => _storages[0].ClearStateAsync("note", grain, state));
    }

    private static async Task<bool> TryWriteAsync(IGrainStorage storage, GrainId grain, int writer)
    {
        try
        {
            await storage.WriteStateAsync("note", grain, new GrainState<Note>(new Note(writer)));
            return true;
        }
        catch (InconsistentStateException)
        {
            return false;
        }
    }

    private sealed record Note(int Writer)
    {
        public Note()
            : this(-1)
        {
        }
    }
}

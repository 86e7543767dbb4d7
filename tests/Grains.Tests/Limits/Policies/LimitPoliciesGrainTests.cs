using Marketplace.Limits;
using Marketplace.Testing;
using Npgsql;

namespace Grains.Tests.Limits.Policies;

public sealed class LimitPoliciesGrainTests : IAsyncLifetime
{
    private const string Policy = LimitsOptions.General;
    private NpgsqlDataSource _database = null!;
    private PoliciesCluster _cluster = null!;

    private ILimitPoliciesGrain Grain => _cluster.Grain;

    public async ValueTask InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync();
        _cluster = await PoliciesCluster.StartAsync(_database);
    }

    public async ValueTask DisposeAsync()
    {
        await _cluster.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task A_change_is_in_force_on_every_silo_and_recorded_with_who_made_it()
    {
        var answer = await Grain.Change(Policy, [0], Limit(7), "ada");

        Assert.Equal(PolicyChangeOutcome.Success, answer.Outcome);
        Assert.Equal((1, true, 7), (answer.InForce!.Version, answer.InForce.IsChanged, answer.InForce.Options.Limit));
        await _cluster.HeardAsync(Policy, version: 1);
        Assert.All(_cluster.OfSilos(), policies => Assert.Equal(7, policies.Find(Policy)!.Options.Limit));
        Assert.Equal(["1 ada change general 1 200 7"], await RecordsAsync());
    }

    [Fact]
    public async Task Every_setting_survives_the_database()
    {
        var options = new LimitPolicyOptions
        {
            Algorithm = LimitAlgorithm.TokenBucket,
            Limit = 3,
            Window = TimeSpan.FromHours(30),
            Segments = 5,
            Refill = 2,
            Trouble = TroubleMode.LocalShare,
            Shadow = true,
            QueueLimit = 4,
            Key = "user+header:X-Tenant",
            ExemptAddresses = ["10.0.0.0/8"],
            ExemptUsers = ["ada"],
            ExemptRoles = ["operator"],
            ExemptPaths = ["/api/v1/ping"],
        };
        await Grain.Change(Policy, null, options, "ada");

        await _cluster.DeactivateAsync();
        var read = (await Grain.List()).Single(policy => policy.Name == Policy).Options;

        Assert.Equivalent(options, read, strict: true);
    }

    [Fact]
    public async Task A_restored_policy_is_the_configured_one_under_a_new_version()
    {
        await Grain.Change(Policy, [0], Limit(7), "ada");
        var answer = await Grain.Restore(Policy, [1], "bob");

        Assert.Equal(PolicyChangeOutcome.Success, answer.Outcome);
        Assert.Equal((2, false, 200), (answer.InForce!.Version, answer.InForce.IsChanged, answer.InForce.Options.Limit));
        await _cluster.HeardAsync(Policy, version: 2);
        Assert.All(_cluster.OfSilos(), policies => Assert.Equal(200, policies.Find(Policy)!.Options.Limit));
        Assert.Equal(["1 ada change general 1 200 7", "2 bob restore general 2 7 200"], await RecordsAsync());

        // There is nothing to restore any more.
        Assert.Equal(2, (await Grain.Restore(Policy, [2], "bob")).InForce!.Version);
        Assert.Equal(2, (await RecordsAsync()).Count);
    }

    [Fact]
    public async Task Whoever_has_seen_another_version_changes_nothing()
    {
        await Grain.Change(Policy, [0], Limit(7), "ada");

        var change = await Grain.Change(Policy, [0, 2], Limit(8), "bob");
        var restore = await Grain.Restore(Policy, [], "bob");

        Assert.Equal((PolicyChangeOutcome.VersionMismatch, 1), (change.Outcome, change.InForce!.Version));
        Assert.Equal((PolicyChangeOutcome.VersionMismatch, 7), (restore.Outcome, restore.InForce!.Options.Limit));
        Assert.Single(await RecordsAsync());
    }

    [Fact]
    public async Task Only_policies_that_are_configured_can_be_changed_and_only_to_what_they_may_be()
    {
        Assert.Equal(PolicyChangeOutcome.UnknownPolicy, (await Grain.Change("unheard-of", null, Limit(7), "ada")).Outcome);
        Assert.Equal(PolicyChangeOutcome.UnknownPolicy, (await Grain.Restore("unheard-of", null, "ada")).Outcome);
        Assert.False(await Grain.ResetPartition("unheard-of", "a", "ada"));
        Assert.Equal(PolicyChangeOutcome.Invalid, (await Grain.Change(Policy, null, Limit(0), "ada")).Outcome);
        Assert.Empty(await RecordsAsync());
    }

    [Fact]
    public async Task A_poll_waits_for_the_next_change_and_is_null_when_there_was_none()
    {
        var known = (await Grain.WaitForChange(-1))!;
        var poll = Grain.WaitForChange(known.Revision).AsTask();
        Assert.Null(await poll);

        poll = Grain.WaitForChange(known.Revision).AsTask();
        await Grain.Change(Policy, null, Limit(7), "ada");

        var changed = (await poll)!;
        Assert.Equal((known.Revision + 1, 7), (changed.Revision, changed.Policies[Policy].Options!.Limit));
        Assert.Equal(changed.Revision, (await Grain.WaitForChange(known.Revision))!.Revision); // at once
    }

    [Fact]
    public async Task Changes_outlive_the_activation_and_a_silo_that_joins_knows_them_before_it_counts()
    {
        await Grain.Change(Policy, null, Limit(7), "ada");
        await Grain.ResetPartition(Policy, "a", "ada");
        await _cluster.DeactivateAsync();

        await _cluster.StartSiloAsync();

        Assert.All(_cluster.OfSilos().TakeLast(1), policies => Assert.Equal(7, policies.Find(Policy)!.Options.Limit));
        var known = (await Grain.WaitForChange(-1))!;
        Assert.Equal((2, 1), (known.Revision, known.Policies[Policy].Version));
        Assert.Equal([new(2, "general|a")], known.Resets);
    }

    [Fact]
    public async Task Of_two_activations_that_change_at_once_one_wins_and_the_other_judges_anew()
    {
        await using var other = await PoliciesCluster.StartAsync(_database, silos: 1);
        for (var version = 0; version < 50; version++)
        {
            var answers = await Task.WhenAll(
                Grain.Change(Policy, [version], Limit(100 + version), "ada").AsTask(),
                other.Grain.Change(Policy, [version], Limit(200 + version), "bob").AsTask());

            var won = Assert.Single(answers, answer => answer.Outcome == PolicyChangeOutcome.Success);
            var lost = Assert.Single(answers, answer => answer.Outcome == PolicyChangeOutcome.VersionMismatch);
            Assert.Equal(version + 1, won.InForce!.Version);
            Assert.Equivalent(won.InForce, lost.InForce);
        }

        Assert.Equal(50, (await RecordsAsync()).Count);
        await _cluster.HeardAsync(Policy, version: 50);
        await other.HeardAsync(Policy, version: 50);
    }

    [Fact]
    public async Task A_lowered_limit_binds_at_once_with_the_counts_kept()
    {
        var bucket = _cluster.Bucket("general|a");
        Assert.Equal(50, (await bucket.Exchange(Ask(1, wanted: 50))).Granted);

        await Grain.Change(Policy, null, Limit(60), "ada");
        await _cluster.HeardAsync(Policy, version: 1);

        var view = await bucket.Peek();
        Assert.Equal((60, 50, 10, 1), (view.Limit, view.Used, view.Remaining, view.PolicyVersion));
        Assert.Equal(10, (await bucket.Exchange(Ask(1, wanted: 20))).Granted);

        await Grain.Change(Policy, null, Limit(30), "ada");
        await _cluster.HeardAsync(Policy, version: 2);
        Assert.Equal(0, (await bucket.Exchange(Ask(1, wanted: 1))).Granted);

        await Grain.Restore(Policy, null, "ada");
        await _cluster.HeardAsync(Policy, version: 3);
        Assert.Equal(140, (await bucket.Exchange(Ask(1, wanted: 200))).Granted);
    }

    [Fact]
    public async Task A_reset_partition_starts_anew_even_when_its_bucket_has_left_memory()
    {
        var bucket = _cluster.Bucket("general|a");
        await bucket.Exchange(Ask(1, wanted: 200));
        await _cluster.ForgetAsync(bucket);
        var before = _cluster.OfSilos().First().Revision;

        Assert.True(await Grain.ResetPartition(Policy, "a", "ada"));

        Assert.Equal(200, (await bucket.Peek()).Remaining);
        Assert.Equal(["1 ada reset-partition general 0 a"], await RecordsAsync());
        await Realtime.Eventually.TrueAsync(() => _cluster.OfSilos().All(policies => policies.Revision == before + 1));
    }

    private static LimitPolicyOptions Limit(int limit) => new() { Limit = limit };

    private static PermitRequest Ask(long sequence, int wanted) =>
        new(Guid.NewGuid(), sequence, wanted, Spare: 0, Held: 0, Returned: default, Callback: null);

    private async Task<List<string>> RecordsAsync()
    {
        await using var command = _database.CreateCommand(
            """
            SELECT concat_ws(' ', revision, changed_by, action, policy, version, partition, old_policy ->> 'limit', new_policy ->> 'limit')
            FROM limit_policy_changes ORDER BY id
            """);
        await using var reader = await command.ExecuteReaderAsync();
        var records = new List<string>();
        while (await reader.ReadAsync())
        {
            records.Add(reader.GetString(0));
        }

        return records;
    }
}

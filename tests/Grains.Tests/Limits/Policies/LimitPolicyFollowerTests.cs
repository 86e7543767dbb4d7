using System.Collections.Concurrent;
using Marketplace.Limits;
using Marketplace.Testing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Grains.Tests.Limits.Policies;

public sealed class LimitPolicyFollowerTests : IAsyncLifetime, IPartitionResetListener
{
    private const string Policy = LimitsOptions.General;
    private readonly LimitPolicies _policies = new(Options.Create(new LimitsOptions()));
    private readonly ConcurrentQueue<string> _resets = [];
    private readonly LevelLog _log = new();
    private readonly FakeTimeProvider _clock = new();
    private readonly ScriptedGrain _grain = new();
    private LimitPolicyFollower _follower = null!;

    public async ValueTask InitializeAsync()
    {
        _follower = new(OneGrain.FactoryOf(_grain), _policies, [this], _clock, _log);
        await _follower.StartAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await _follower.StopAsync(CancellationToken.None);
        _follower.Dispose();
    }

    void IPartitionResetListener.OnReset(string bucket) => _resets.Enqueue(bucket);

    [Fact]
    public async Task A_process_that_finds_no_silo_goes_on_asking_and_says_so_once()
    {
        for (var attempt = 0; attempt < 5; attempt++)
        {
            (await _grain.NextAsync(knownRevision: -1)).SetException(new InvalidOperationException("no silo yet"));
            await _log.WaitAsync(LogLevel.Warning, count: 1);
            await AdvanceAsync();
        }

        (await _grain.NextAsync(knownRevision: -1)).SetResult(Changed(3, version: 2, limit: 7));

        await _grain.NextAsync(knownRevision: 3);
        Assert.Equal((2, 7), (_policies.Find(Policy)!.Version, _policies.Find(Policy)!.Options.Limit));
        Assert.Equal(1, _log.Count(LogLevel.Warning));
    }

    [Fact]
    public async Task Only_what_is_newer_takes_the_place_of_what_is_known()
    {
        (await _grain.NextAsync(knownRevision: -1)).SetResult(Changed(3, version: 2, limit: 7));
        (await _grain.NextAsync(knownRevision: 3)).SetResult(null);
        (await _grain.NextAsync(knownRevision: 3)).SetResult(Changed(2, version: 1, limit: 8)); // an activation that was overtaken

        await _grain.NextAsync(knownRevision: 3);
        Assert.Equal(7, _policies.Find(Policy)!.Options.Limit);
    }

    [Fact]
    public async Task A_restored_policy_is_the_configured_one_under_the_new_version()
    {
        var followed = _policies.Follow(Policy)!;
        (await _grain.NextAsync(knownRevision: -1)).SetResult(Changed(1, version: 1, limit: 7));
        (await _grain.NextAsync(knownRevision: 1)).SetResult(Changed(2, version: 2, limit: null));

        await _grain.NextAsync(knownRevision: 2);
        Assert.Equal((2, 200), (followed.Current.Version, followed.Current.Options.Limit));
    }

    [Fact]
    public async Task Each_reset_is_told_once_and_policies_that_are_not_configured_are_left_out()
    {
        (await _grain.NextAsync(knownRevision: -1)).SetResult(Resets(2, new PartitionReset(2, "general|a")));
        (await _grain.NextAsync(knownRevision: 2)).SetResult(Resets(3, new(2, "general|a"), new(3, "general|b")));

        await _grain.NextAsync(knownRevision: 3);
        Assert.Equal(["general|a", "general|b"], _resets);
        Assert.Null(_policies.Find("unheard-of"));
    }

    private static ChangedPolicies Changed(long revision, int version, int? limit) => ChangedPolicies.None with
    {
        Revision = revision,
        Policies = ChangedPolicies.None.Policies.Add(Policy, new(version, limit is { } number ? new() { Limit = number } : null)),
    };

    private static ChangedPolicies Resets(long revision, params PartitionReset[] resets) => ChangedPolicies.None with
    {
        Revision = revision,
        Policies = ChangedPolicies.None.Policies.Add("unheard-of", new(1, new())),
        Resets = [.. resets],
    };

    /// <summary>Until the follower asks again: it may not have begun to wait yet when the clock moves.</summary>
    private async Task AdvanceAsync()
    {
        while (!_grain.IsAsked)
        {
            _clock.Advance(TimeSpan.FromMilliseconds(250));
            await Task.Yield();
        }
    }
}

/// <summary>What was logged.</summary>
internal sealed class LevelLog : ILogger<LimitPolicyFollower>
{
    private readonly ConcurrentQueue<LogLevel> _levels = [];

    public int Count(LogLevel level) => _levels.Count(logged => logged == level);

    public Task WaitAsync(LogLevel level, int count) => Realtime.Eventually.TrueAsync(() => Count(level) >= count);

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _levels.Enqueue(logLevel);
}

using Marketplace.Hosting.Settings;
using Marketplace.Limits;
using Marketplace.Trouble;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Npgsql;
using Orleans.Configuration;

namespace Marketplace.Grains.Limits.Policies;

/// <summary>
/// Holds the newest revision that it knows of, and the long polls that wait for the next. What it believes is fenced by the
/// revision in PostgreSQL: an activation that was overtaken can't write, reads again and judges anew.
/// </summary>
internal sealed class LimitPoliciesGrain(
    LimitPolicyStore store,
    IOptions<LimitsOptions> configured,
    IOptions<SiloMessagingOptions> messaging,
    IHostApplicationLifetime process,
    TimeProvider clock) : Grain, ILimitPoliciesGrain
{
    /// <summary>Short, since an activation that moves finishes its calls first, and changes wait for that.</summary>
    private static readonly TimeSpan PollMax = TimeSpan.FromSeconds(3);

    /// <summary>While the silo stops: it waits for its grains' calls, and those who ask aren't to ask without a pause.</summary>
    private static readonly TimeSpan PollMaxAtTheEnd = TimeSpan.FromMilliseconds(250);

    /// <summary>More than one activation at a time is rare, and lasts for moments.</summary>
    private const int AttemptsMax = 3;

    private readonly TimeSpan _pollMax = messaging.Value.ResponseTimeout / 2 is var half && half < PollMax ? half : PollMax;
    private ChangedPolicies _known = ChangedPolicies.None;
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public async ValueTask<IReadOnlyList<PolicyInForce>> List()
    {
        await ReadAsync(atLeast: 0);
        return [.. configured.Value.Policies.Keys.Order(StringComparer.Ordinal).Select(name => Find(name)!)];
    }

    public async ValueTask<ChangedPolicies?> WaitForChange(long knownRevision)
    {
        // One that knows more than this activation has heard of it from another, to which this one has lost.
        await ReadAsync(atLeast: Math.Max(0, knownRevision));
        if (_known.Revision <= knownRevision)
        {
            var stopping = process.ApplicationStopping;
            var change = stopping.IsCancellationRequested
                ? _next.Task.WaitAsync(PollMaxAtTheEnd, clock)
                : _next.Task.WaitAsync(_pollMax, clock, stopping);
            await change
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }

        return _known.Revision > knownRevision ? _known : null;
    }

    public async ValueTask<PolicyChange> Change(string name, IReadOnlyList<int>? expected, LimitPolicyOptions options, string who) =>
        SettingsRules.Check(options).Any()
            ? new(PolicyChangeOutcome.Invalid, null)
            : await PutAsync(name, expected, options, who);

    public ValueTask<PolicyChange> Restore(string name, IReadOnlyList<int>? expected, string who) =>
        PutAsync(name, expected, options: null, who);

    public async ValueTask<bool> ResetPartition(string name, string partition, string who)
    {
        await ReadAsync(atLeast: 0);
        if (Find(name) is null)
        {
            return false;
        }

        for (var attempt = 1; ; attempt++)
        {
            var seen = _known;
            if (await TryWriteAsync(new(seen.Revision, who, "reset-partition", name, Find(name)!.Version, Partition: partition), attempt))
            {
                // First the bucket: a frontend that forgets its refusal asks again at once.
                var bucket = new BucketKey(name, partition).ToString();
                try
                {
                    await GrainFactory.GetGrain<IBucketGrain>(bucket).Reset();
                }
                finally
                {
                    Publish(seen with
                    {
                        Revision = seen.Revision + 1,
                        Resets = [.. seen.Resets.TakeLast(ChangedPolicies.ResetsMax - 1), new(seen.Revision + 1, bucket)],
                    });
                }

                return true;
            }
        }
    }

    private async ValueTask<PolicyChange> PutAsync(string name, IReadOnlyList<int>? expected, LimitPolicyOptions? options, string who)
    {
        await ReadAsync(atLeast: 0);
        for (var attempt = 1; ; attempt++)
        {
            if (Find(name) is not { } before)
            {
                return new(PolicyChangeOutcome.UnknownPolicy, null);
            }

            if (expected?.Contains(before.Version) == false)
            {
                return new(PolicyChangeOutcome.VersionMismatch, before);
            }

            if (options is null && !before.IsChanged)
            {
                return new(PolicyChangeOutcome.Success, before); // nothing stands in the configured one's place
            }

            var seen = _known;
            var changed = new ChangedPolicy(before.Version + 1, options);
            var write = new PolicyWrite(
                seen.Revision, who, options is null ? "restore" : "change", name, changed.Version, changed,
                Old: before.Options, New: options ?? configured.Value.Policies[name]);
            if (await TryWriteAsync(write, attempt))
            {
                Publish(seen with { Revision = seen.Revision + 1, Policies = seen.Policies.SetItem(name, changed) });
                return new(PolicyChangeOutcome.Success, Find(name));
            }
        }
    }

    /// <summary>Writes, or finds that another activation has written, and reads what.</summary>
    private async Task<bool> TryWriteAsync(PolicyWrite write, int attempt)
    {
        try
        {
            if (await store.TryWriteAsync(write))
            {
                return true;
            }
        }
        catch
        {
            // It may have been committed all the same: whoever asks next has it read again.
            _known = ChangedPolicies.None;
            throw;
        }

        if (attempt == AttemptsMax)
        {
            throw new UnavailableException("Other activations of the policies go on writing.");
        }

        await ReadAsync(atLeast: write.Revision + 1);
        return false;
    }

    private async Task ReadAsync(long atLeast)
    {
        if (_known.Revision >= atLeast)
        {
            return;
        }

        try
        {
            Publish(await store.ReadAsync());
        }
        catch (NpgsqlException error) when (error.IsTransient)
        {
            // Every process asks again four times a second; each says once that it is in trouble, and nobody says it each time.
            throw new UnavailableException("The changed policies can't be read: PostgreSQL is away.");
        }
    }

    private void Publish(ChangedPolicies changed)
    {
        if (changed.Revision > _known.Revision)
        {
            _known = changed;
            _next.SetResult();
            _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    private PolicyInForce? Find(string name)
    {
        if (!configured.Value.Policies.TryGetValue(name, out var options))
        {
            return null;
        }

        var changed = _known.Policies.GetValueOrDefault(name);
        return new(name, changed?.Version ?? 0, changed?.Options is not null, changed?.Options ?? options);
    }
}

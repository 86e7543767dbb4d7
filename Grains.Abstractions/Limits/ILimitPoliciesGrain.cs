using System.Collections.Immutable;
using Orleans.Concurrency;

namespace Marketplace.Limits;

/// <summary>
/// The one grain (key 0) that keeps what operators have changed: policies, and partitions that were reset. Everything is in
/// PostgreSQL, with who did it, before it is acknowledged; every process hears of it by a long poll.
/// </summary>
[Alias("limits.policies")]
public interface ILimitPoliciesGrain : IGrainWithIntegerKey
{
    /// <summary>All policies that are configured, as they are in force, by name.</summary>
    /// <exception cref="Trouble.UnavailableException">PostgreSQL can't be reached and nothing has been read from it yet.</exception>
    [Alias("list"), AlwaysInterleave]
    ValueTask<IReadOnlyList<PolicyInForce>> List();

    /// <summary>
    /// Answers at once when there is something newer, or else as soon as there is; null when there was nothing for a few seconds.
    /// </summary>
    /// <param name="knownRevision">The revision that the caller has; -1 for none.</param>
    /// <exception cref="Trouble.UnavailableException">PostgreSQL can't be reached and nothing has been read from it yet.</exception>
    [Alias("wait"), AlwaysInterleave]
    ValueTask<ChangedPolicies?> WaitForChange(long knownRevision);

    /// <summary>Puts other settings in a policy's place.</summary>
    /// <param name="name">A policy that is configured: endpoints declare which there are.</param>
    /// <param name="expected">The versions that may be replaced; null for whichever there is.</param>
    /// <param name="options">All its settings.</param>
    /// <param name="who">The operator, for the record.</param>
    [Alias("change")]
    ValueTask<PolicyChange> Change(string name, IReadOnlyList<int>? expected, LimitPolicyOptions options, string who);

    /// <summary>
    /// Puts a policy back to what is configured, under a new version, since leases and denials are remembered by it. One that
    /// was never changed stays as it is.
    /// </summary>
    /// <param name="name">A policy that is configured.</param>
    /// <param name="expected">The versions that may be replaced; null for whichever there is.</param>
    /// <param name="who">The operator, for the record.</param>
    [Alias("restore")]
    ValueTask<PolicyChange> Restore(string name, IReadOnlyList<int>? expected, string who);

    /// <summary>Has a bucket forget what it counted, and frontends what they remember of it.</summary>
    /// <param name="name">A policy that is configured.</param>
    /// <param name="partition">Who is counted.</param>
    /// <param name="who">The operator, for the record.</param>
    /// <returns>False when there is no such policy.</returns>
    [Alias("reset-partition")]
    ValueTask<bool> ResetPartition(string name, string partition, string who);
}

/// <summary>A policy as it is in force.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Version">0 as configured; grows by one with every change.</param>
/// <param name="IsChanged">Whether an operator's settings stand in the place of the configured ones.</param>
/// <param name="Options">Its settings; not to be changed.</param>
[GenerateSerializer, Immutable, Alias("limits.policy-in-force")]
public sealed record PolicyInForce(
    [property: Id(0)] string Name,
    [property: Id(1)] int Version,
    [property: Id(2)] bool IsChanged,
    [property: Id(3)] LimitPolicyOptions Options);

/// <summary>What became of an operator's wish.</summary>
[GenerateSerializer, Alias("limits.change-outcome")]
public enum PolicyChangeOutcome
{
    /// <summary>It is in force, and every process hears of it now.</summary>
    Success,

    /// <summary>Somebody else was first.</summary>
    VersionMismatch,

    /// <summary>There is no policy of that name.</summary>
    UnknownPolicy,

    /// <summary>The settings are outside of what they may be.</summary>
    Invalid,
}

/// <summary>The answer to a change.</summary>
/// <param name="Outcome">What became of it.</param>
/// <param name="InForce">The policy as it is now; null when there is none of that name.</param>
[GenerateSerializer, Immutable, Alias("limits.change-answer")]
public sealed record PolicyChange([property: Id(0)] PolicyChangeOutcome Outcome, [property: Id(1)] PolicyInForce? InForce);

/// <summary>Everything that operators have changed.</summary>
/// <param name="Revision">Grows by one with every change and every reset; 0 when there was none yet.</param>
/// <param name="Policies">By name; those that never were changed are not in it.</param>
/// <param name="Resets">The last partitions that were reset, oldest first, at most <see cref="ResetsMax"/>.</param>
[GenerateSerializer, Immutable, Alias("limits.changed-policies")]
public sealed record ChangedPolicies(
    [property: Id(0)] long Revision,
    [property: Id(1)] ImmutableDictionary<string, ChangedPolicy> Policies,
    [property: Id(2)] ImmutableArray<PartitionReset> Resets)
{
    /// <summary>
    /// Resets that are told. A process that missed more in one go never hears of the oldest: what its requests were refused
    /// there stays refused until the bucket's own retry-after is over.
    /// </summary>
    public const int ResetsMax = 100;

    /// <summary>Older than anything that the grain says.</summary>
    public static ChangedPolicies None { get; } = new(-1, ImmutableDictionary.Create<string, ChangedPolicy>(StringComparer.Ordinal), []);
}

/// <summary>A policy that was changed at least once.</summary>
/// <param name="Version">How often.</param>
/// <param name="Options">What is in force; null when it was put back to what is configured.</param>
[GenerateSerializer, Immutable, Alias("limits.changed-policy")]
public sealed record ChangedPolicy([property: Id(0)] int Version, [property: Id(1)] LimitPolicyOptions? Options);

/// <summary>A partition that an operator has reset.</summary>
/// <param name="Revision">When, as <see cref="ChangedPolicies.Revision"/>.</param>
/// <param name="Bucket">The bucket's key, see <see cref="BucketKey"/>.</param>
[GenerateSerializer, Immutable, Alias("limits.partition-reset")]
public sealed record PartitionReset([property: Id(0)] long Revision, [property: Id(1)] string Bucket);

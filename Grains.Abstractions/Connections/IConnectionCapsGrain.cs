using Orleans.Concurrency;

namespace Marketplace.Connections;

/// <summary>The one grain (key 0) that keeps the caps as operators have changed them, in PostgreSQL.</summary>
[Alias("connections.caps-keeper")]
public interface IConnectionCapsGrain : IGrainWithIntegerKey
{
    /// <summary>The caps as they are in force.</summary>
    [Alias("get"), AlwaysInterleave]
    ValueTask<CapsInForce> Get();

    /// <summary>
    /// Puts other caps in their place. Answers once no silo admits anybody by the old ones, and frontends have handed back
    /// what they don't use; connections that exist stay.
    /// </summary>
    /// <param name="expected">The versions that may be replaced; null for whichever there is.</param>
    /// <param name="caps">All of them.</param>
    /// <param name="who">The operator, for the record.</param>
    [Alias("change")]
    ValueTask<CapsChange> Change(IReadOnlyList<int>? expected, ConnectionCaps caps, string who);

    /// <summary>Puts the configured caps back, under a new version. If they never were changed they stay as they are.</summary>
    /// <param name="expected">The versions that may be replaced; null for whichever there is.</param>
    /// <param name="who">The operator, for the record.</param>
    [Alias("restore")]
    ValueTask<CapsChange> Restore(IReadOnlyList<int>? expected, string who);
}

/// <summary>The caps as they are in force.</summary>
/// <param name="Version">0 as configured; grows by one with every change.</param>
/// <param name="IsChanged">Whether an operator's caps stand in the place of the configured ones.</param>
/// <param name="Caps">The caps; not to be changed.</param>
[GenerateSerializer, Immutable, Alias("connections.caps-in-force")]
public sealed record CapsInForce(
    [property: Id(0)] int Version, [property: Id(1)] bool IsChanged, [property: Id(2)] ConnectionCaps Caps);

/// <summary>What became of an operator's wish.</summary>
[GenerateSerializer, Alias("connections.caps-outcome")]
public enum CapsChangeOutcome
{
    /// <summary>It is in force.</summary>
    Success,

    /// <summary>Somebody else was first.</summary>
    VersionMismatch,

    /// <summary>The caps are outside of what they may be.</summary>
    Invalid,
}

/// <summary>The answer to a change.</summary>
/// <param name="Outcome">What became of it.</param>
/// <param name="InForce">The caps as they are now.</param>
[GenerateSerializer, Immutable, Alias("connections.caps-change")]
public sealed record CapsChange([property: Id(0)] CapsChangeOutcome Outcome, [property: Id(1)] CapsInForce InForce);

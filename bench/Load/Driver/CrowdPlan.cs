using System.Net;
using System.Numerics;
using Marketplace.Bench.Load.Driver.Wire;

namespace Marketplace.Bench.Load.Driver;

internal enum WireKind
{
    SignalR,
    SocketIo,
}

/// <summary>Whom a crowd of clients talks to, and as whom. Goes to worker processes as JSON.</summary>
internal sealed record CrowdPlan
{
    /// <summary>Loopback addresses that are taken in turn as the clients' own, 127.1.0.1 and on.</summary>
    public const int SourceAddressesMax = 64_000;

    private const int HostsPerNet = 250;

    /// <summary>Servers, by http and an IPv4 address.</summary>
    public required IReadOnlyList<Uri> Targets { get; init; }

    public WireKind Protocol { get; init; }

    /// <summary>Of the hub, or Socket.IO's endpoint.</summary>
    public string Path { get; init; } = "/hubs/live";

    /// <summary>Signs tokens for users that are made up; null for given tokens, or none.</summary>
    public TokenKey? TokenKey { get; init; }

    /// <summary>Given access tokens, one for each user.</summary>
    public IReadOnlyList<string> Tokens { get; init; } = [];

    /// <summary>Connections of one user.</summary>
    public int PerUser { get; init; } = 5;

    /// <summary>How many connections are meant to be there at most.</summary>
    public required int Connections { get; init; }

    /// <summary>How many source addresses are used; 0 leaves it to the system.</summary>
    public int SourceAddresses { get; init; } = 256;

    /// <summary>How often a client tries to open its connection when it is refused, a second apart.</summary>
    public int Attempts { get; init; } = 1;

    /// <summary>Whether a connection that is lost is opened again.</summary>
    public bool Returns { get; init; }

    /// <summary>Whether one that is back asks for what it missed, where its room's messages are kept.</summary>
    public bool Resumes { get; init; }

    /// <summary>The longest wait before the first attempt to return; each client takes a part of it by chance.</summary>
    public TimeSpan Jitter { get; init; } = TimeSpan.FromSeconds(2);

    private int Users => (Connections + PerUser - 1) / PerUser;

    /// <summary>The least common multiple of users and targets. It splits no pair that lies on an even number of targets.</summary>
    private int Lap => Users / (int)BigInteger.GreatestCommonDivisor(Users, Targets.Count) * Targets.Count;

    /// <summary>The number of the client's user. A user's connections are far apart: nobody opens five tabs at one instant.</summary>
    public int UserOf(int client) => client < Users * PerUser ? client % Users : client / PerUser;

    public IWireProtocol NewProtocol() => Protocol == WireKind.SignalR ? new SignalRProtocol() : new SocketIoProtocol();

    /// <summary>
    /// In turn for neighbours, and for the connections of a user. The latter's numbers are <see cref="Users"/> apart, by which they
    /// would meet the same targets again: from there on everybody is one target further.
    /// </summary>
    public Uri TargetOf(int client, int attempt) => Targets[(client + (client / Lap) + attempt) % Targets.Count];

    /// <summary>The client's own address, or null for the system's choice.</summary>
    public IPAddress? SourceOf(int client)
    {
        if (SourceAddresses == 0)
        {
            return null;
        }

        var host = client % SourceAddresses;
        return new IPAddress([127, 1, (byte)(host / HostsPerNet), (byte)((host % HostsPerNet) + 1)]);
    }
}

using System.Globalization;

namespace Marketplace.Bench.Load.Driver;

/// <summary>What a crowd met, or a part of it in one process.</summary>
internal sealed record CrowdReport
{
    public int Live { get; init; }

    public long Opened { get; init; }

    /// <summary>Connections that broke, or took too long, before they could be used.</summary>
    public long Broken { get; init; }

    /// <summary>Connections that ended though nobody here closed them.</summary>
    public long Lost { get; init; }

    /// <summary>Lost ones that are back.</summary>
    public long Returned { get; init; }

    /// <summary>… which were told that what they missed is kept no longer.</summary>
    public long Reloaded { get; init; }

    public long Sent { get; init; }

    /// <summary>Sends that the server acknowledged.</summary>
    public long Answered { get; init; }

    /// <summary>Sends that the server refused.</summary>
    public long Failed { get; init; }

    /// <summary>Messages received, repeats and those back at their own sender not counted.</summary>
    public long Delivered { get; init; }

    /// <summary>Messages that came to their own sender.</summary>
    public long Echoed { get; init; }

    /// <summary>Numbers that a receiver jumped over and never got.</summary>
    public long Missed { get; init; }

    public long Repeated { get; init; }

    /// <summary>Messages that came after a later one of the same sender.</summary>
    public long Late { get; init; }

    /// <summary>Refused upgrades by HTTP status and problem, such as <c>503 connection-limit</c>.</summary>
    public IReadOnlyDictionary<string, int> Refused { get; init; } = new Dictionary<string, int>();

    /// <summary>From the first packet to the end of the handshake.</summary>
    public Distribution Connecting { get; init; } = Distribution.Empty;

    /// <summary>From a send to its delivery to somebody else.</summary>
    public Distribution Delivery { get; init; } = Distribution.Empty;

    /// <summary>From a call to its answer.</summary>
    public Distribution Answering { get; init; } = Distribution.Empty;

    /// <summary>From the loss of a connection until it is back, in its room.</summary>
    public Distribution Returning { get; init; } = Distribution.Empty;

    /// <summary>How many were refused because the service had as many connections as it may have.</summary>
    public int RefusedAtTotal => Refused.GetValueOrDefault("503 connection-limit");

    /// <summary>All refusals, as a text.</summary>
    public string Refusals => Refused.Count == 0
        ? "none"
        : string.Join(", ", Refused.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(
            pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Value:N0} with {pair.Key}")));

    public bool IsFaultless => Missed == 0 && Repeated == 0 && Late == 0;

    public static CrowdReport Sum(IReadOnlyCollection<CrowdReport> parts) => new()
    {
        Live = parts.Sum(part => part.Live),
        Opened = parts.Sum(part => part.Opened),
        Broken = parts.Sum(part => part.Broken),
        Lost = parts.Sum(part => part.Lost),
        Returned = parts.Sum(part => part.Returned),
        Reloaded = parts.Sum(part => part.Reloaded),
        Sent = parts.Sum(part => part.Sent),
        Answered = parts.Sum(part => part.Answered),
        Failed = parts.Sum(part => part.Failed),
        Delivered = parts.Sum(part => part.Delivered),
        Echoed = parts.Sum(part => part.Echoed),
        Missed = parts.Sum(part => part.Missed),
        Repeated = parts.Sum(part => part.Repeated),
        Late = parts.Sum(part => part.Late),
        Refused = parts.SelectMany(part => part.Refused).GroupBy(pair => pair.Key)
            .ToDictionary(group => group.Key, group => group.Sum(pair => pair.Value)),
        Connecting = Distribution.Sum(parts.Select(part => part.Connecting)),
        Delivery = Distribution.Sum(parts.Select(part => part.Delivery)),
        Answering = Distribution.Sum(parts.Select(part => part.Answering)),
        Returning = Distribution.Sum(parts.Select(part => part.Returning)),
    };
}

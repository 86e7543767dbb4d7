namespace Marketplace.Bench.AspNet;

/// <summary>The command line: <c>--port 5000 --limiter InProcess --refusal Problem --limit 200 --window 00:15:00</c>.</summary>
internal sealed class PeerSettings
{
    public int Port { get; set; } = 5000;

    public LimiterKind Limiter { get; set; }

    public RefusalBody Refusal { get; set; }

    /// <summary>Requests admitted from one address in one window.</summary>
    public int Limit { get; set; } = 200;

    public TimeSpan Window { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>Turns the hub on: the public key that access tokens are checked with, SubjectPublicKeyInfo in base64.</summary>
    public string? TokenKey { get; set; }

    /// <summary>The key's id in tokens.</summary>
    public string? TokenKeyId { get; set; }
}

internal enum LimiterKind
{
    None,

    /// <summary>ASP.NET Core's own: a fixed window for each address, in this process's memory.</summary>
    InProcess,
}

/// <summary>What a 429 carries.</summary>
internal enum RefusalBody
{
    /// <summary>Nothing, as the middleware has it.</summary>
    Empty,

    /// <summary>What the marketplace answers, head and body, by the framework's writer of problems.</summary>
    Problem,

    /// <summary>The same, as the marketplace writes it: prepared bytes instead of a serialised object.</summary>
    Bytes,
}

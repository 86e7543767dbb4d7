using Marketplace.Hosting;

namespace Marketplace.Bench.Load.Driver;

/// <summary>The command line of <c>drive</c>.</summary>
internal sealed record DriveOptions
{
    public const string Usage = """
        Holds many realtime connections to servers anywhere, lets them talk, and says what they met.
        Usage: Marketplace.Bench.Load drive --target URL [options]

          --target URL               a server, as http://127.0.0.1:5001; may be given several times, and they are taken in turn
          --protocol NAME            signalr or socketio (default signalr)
          --path PATH                of the hub, or Socket.IO's endpoint (default /hubs/live, /socket.io/)
          --connections N            how many (default 1000; from 1 to 1000000); a worker process holds 18,000 of them
          --rate N                   connections begun in a second (default 0: as fast as they are admitted; up to 100000)
          --at-once N                handshakes under way (default 64; from 1 to 10000)
          --source-addresses N       of 127.0.0.0/8, taken in turn so that ports don't run out (default 256; from 0, which leaves
                                     it to the system and is needed for servers elsewhere, to 64000)
          --tokens FILE              access tokens, one a line, each for --per-user connections
          --signing-database TEXT    connection string of the service's PostgreSQL: its signing key is read there and tokens are
                                     made for users that are made up; for clusters of one's own
          --per-user N               connections of a user (default 5; from 1 to 1000)
          --join NAME                none, lobby, or rooms (default none)
          --room-size N              members of a room with --join rooms (default 2; from 1 to 100000)
          --send-rate N              messages in a second, all rooms together (default 0; up to 1000000)
          --senders N                members of a room that speak (default 1; from 1 to 100000)
          --text-length N            characters of a message (default 100; from 60 to 2000)
          --seconds N                how long they talk (default 30; from 1 to 86400)
          --hold N                   seconds for which the connections are held afterwards (default 0; up to 86400)
          --return yes|no            whether a connection that is lost comes back, by way of the other servers (default no)
          --resume yes|no            whether one that is back asks for what it missed, by the hub's Resume (default no)
          --jitter-ms N              the longest wait before it tries, of which each takes a part by chance (default 2000; up to 60000)
          --help                     this text

        A summary ends it; the exit code is 1 when a message was missed, came twice or out of order, or a connection was lost
        and is not back.
        """;

    private readonly List<Uri> _targets = [];

    private string? Path { get; set; }

    private WireKind Protocol { get; set; }

    private int SourceAddresses { get; set; } = 256;

    private string? TokenFile { get; set; }

    private int PerUser { get; set; } = 5;

    private bool Returns { get; set; }

    private bool Resumes { get; set; }

    private int JitterMilliseconds { get; set; } = 2000;

    public IReadOnlyList<Uri> Targets => _targets;

    public string? SigningDatabase { get; private set; }

    public int Connections { get; private set; } = 1000;

    public int Rate { get; private set; }

    public int AtOnce { get; private set; } = 64;

    /// <summary>none, lobby or rooms.</summary>
    public string Join { get; private set; } = "none";

    /// <summary>0 for the lobby.</summary>
    public int RoomSize { get => Join == "rooms" ? field : 0; private set; } = 2;

    public int SendRate { get; private set; }

    public int Senders { get; private set; } = 1;

    public int TextLength { get; private set; } = 100;

    public int Seconds { get; private set; } = 30;

    public int Hold { get; private set; }

    public async Task<CrowdPlan> ToPlanAsync(CancellationToken cancellationToken) => new()
    {
        Targets = _targets,
        Protocol = Protocol,
        Path = Path ?? (Protocol == WireKind.SignalR ? "/hubs/live" : "/socket.io/"),
        PerUser = PerUser,
        Connections = Connections,
        SourceAddresses = SourceAddresses,
        Returns = Returns,
        Resumes = Resumes,
        Jitter = TimeSpan.FromMilliseconds(JitterMilliseconds),
        Tokens = TokenFile is null ? [] : await File.ReadAllLinesAsync(TokenFile, cancellationToken),
        TokenKey = SigningDatabase is null ? null : await ServiceKey.ReadAsync(SigningDatabase, _targets[0], cancellationToken),
    };

    /// <exception cref="StartupException">An option is unknown, has no value, or one out of its range.</exception>
    public static DriveOptions Parse(IReadOnlyList<string> args)
    {
        var options = new DriveOptions();
        var line = new CommandLine(args);
        while (line.TryTake(out var name))
        {
            options.Take(name, line);
        }

        return options._targets.Count > 0 ? options : throw new StartupException("--target says where to connect to; see --help.");
    }

    private void Take(string name, CommandLine line)
    {
        switch (name)
        {
            case "--target":
                _targets.Add(TargetOf(line.Text()));
                break;
            case "--protocol":
                Protocol = line.OneOf(["signalr", "socketio"]) == "signalr" ? WireKind.SignalR : WireKind.SocketIo;
                break;
            case "--path":
                Path = line.Text();
                break;
            case "--connections":
                Connections = line.Number(1, 1_000_000);
                break;
            case "--rate":
                Rate = line.Number(0, 100_000);
                break;
            case "--at-once":
                AtOnce = line.Number(1, 10_000);
                break;
            case "--source-addresses":
                SourceAddresses = line.Number(0, CrowdPlan.SourceAddressesMax);
                break;
            case "--tokens":
                TokenFile = line.Text();
                break;
            case "--signing-database":
                SigningDatabase = line.Text();
                break;
            case "--per-user":
                PerUser = line.Number(1, 1_000);
                break;
            case "--join":
                Join = line.OneOf(["none", "lobby", "rooms"]);
                break;
            case "--room-size":
                RoomSize = line.Number(1, 100_000);
                break;
            case "--send-rate":
                SendRate = line.Number(0, 1_000_000);
                break;
            case "--senders":
                Senders = line.Number(1, 100_000);
                break;
            case "--text-length":
                TextLength = line.Number(60, 2_000);
                break;
            case "--seconds":
                Seconds = line.Number(1, 86_400);
                break;
            case "--hold":
                Hold = line.Number(0, 86_400);
                break;
            case "--return":
                Returns = line.OneOf(["yes", "no"]) == "yes";
                break;
            case "--resume":
                Resumes = line.OneOf(["yes", "no"]) == "yes";
                break;
            case "--jitter-ms":
                JitterMilliseconds = line.Number(0, 60_000);
                break;
            default:
                throw line.Unknown();
        }
    }

    private static Uri TargetOf(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var target)
            && target is { Scheme: "http", HostNameType: UriHostNameType.IPv4 }
                ? target
                : throw new StartupException($"--target is '{text}'; it must be http:// with an IPv4 address and a port.");
}

namespace Marketplace.WebFrontend.Realtime;

/// <summary>The bounds of a frontend's end of the backplane, and what happens at each; a connection's are <see cref="BackplaneSettings"/>.</summary>
internal static class BackplaneLimits
{
    /// <summary>Messages taken over and not yet written to connections; past it channels are told to come again.</summary>
    public const int InboxMessagesMax = 10_000;

    /// <summary>Messages of this process that wait to be published to one channel; past it a send fails as unavailable.</summary>
    public const int OutboxMessagesMax = 10_000;

    /// <summary>Messages in one call to a channel; the rest goes with the next call.</summary>
    public const int PublishMessagesMax = 128;

    /// <summary>Messages held for a connection while it is sent what it missed; past it the connection is aborted.</summary>
    public const int HeldMessagesMax = 1_000;

    /// <summary>Publishers whose last message is remembered per channel; past it all are forgotten, the stamps count on.</summary>
    public const int PublishersMax = 1_000;

    /// <summary>Calls at once when everything is registered anew under a new lease.</summary>
    public const int ListenCallsMax = 64;

    /// <summary>How often the frontend says where it is reached, which is how long a new directory can lack it.</summary>
    public static readonly TimeSpan AnnounceEvery = TimeSpan.FromSeconds(1);

    /// <summary>How long a send, a join or a leave is tried: past the 6 s after which a hung silo is declared dead.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(12);

    /// <summary>How long one attempt of a call may take, since one to a silo that dies may be lost: several fit into the patience.</summary>
    public static readonly TimeSpan CallWithin = TimeSpan.FromSeconds(3);

    /// <summary>How long a client of another frontend may think about its result; that frontend may have died.</summary>
    public static readonly TimeSpan AnswerWithin = TimeSpan.FromMinutes(5);

    /// <summary>How long a send waits for this frontend's own lease.</summary>
    public static readonly TimeSpan LeasePatience = TimeSpan.FromSeconds(2);

    /// <summary>Between two attempts.</summary>
    public static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(200);
}

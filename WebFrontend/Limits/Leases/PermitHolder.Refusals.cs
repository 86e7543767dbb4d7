using Marketplace.Limits;

namespace Marketplace.WebFrontend.Limits.Leases;

/// <content>What is remembered of refusals, so that nobody asks in vain.</content>
internal sealed partial class PermitHolder
{
    private Refusal? _refusal; // replaced as a whole: it is read without the lock
    private int _least; // permits that the last answer was about
    private bool _isReopened; // since the request was sent whose answer is to be told

    /// <summary>Whether asking for so many is known to be of no use at the moment, and by which answer. Needs no lock.</summary>
    public Refusal? Refused(int permits, long now, int version) =>
        Volatile.Read(ref _refusal) is { } refusal && permits >= refusal.From && now < refusal.Until && version == refusal.Answer.PolicyVersion
            ? refusal
            : null;

    /// <summary>
    /// Remembers that so many were not to be had, by the answer that was just taken over. Fewer than it was about may be had sooner.
    /// </summary>
    public void Refuse(int permits)
    {
        if (_refusal is { } refusal && permits < refusal.From && permits >= _least)
        {
            Volatile.Write(ref _refusal, refusal with { From = permits });
        }
    }

    /// <summary>Permits came back somewhere: what was refused may be asked for again.</summary>
    public void Reopen()
    {
        _isReopened = _request is not null;
        Volatile.Write(ref _refusal, null);
    }

    /// <summary>
    /// Those who waited for the answer have been told of it. If permits came back while it was under way it may be older than that,
    /// and refuses nobody else: no further word would come to end it.
    /// </summary>
    public void Told()
    {
        if (_isReopened)
        {
            Reopen();
        }
    }

    /// <summary>What is refused from now on; from how many permits up <see cref="Refuse"/> tells.</summary>
    private Refusal? RefusalAfter(in PermitGrant grant, long sentAt, long now)
    {
        if (grant.RetryIn > TimeSpan.Zero)
        {
            return new(int.MaxValue, sentAt + Ticks(grant.RetryIn), now + Ticks(grant.RetryIn), grant);
        }

        return _refusal is { } refusal && refusal.Answer.PolicyVersion == grant.PolicyVersion ? refusal with { Answer = grant } : null;
    }
}

/// <summary>What a bucket refused: nobody has to ask in vain before it ends.</summary>
/// <param name="From">So many permits, and more, are not to be had.</param>
/// <param name="Until">Timestamp of its end: asking again is of use from here on, at the earliest.</param>
/// <param name="RetryAt">
/// Timestamp that clients are told to wait for: the bucket may have counted from its answer, and who comes back too soon is refused again.
/// </param>
/// <param name="Answer">The bucket's last word.</param>
internal sealed record Refusal(int From, long Until, long RetryAt, PermitGrant Answer);

namespace Marketplace.WebFrontend.Limits.Leases;

/// <summary>One policy's numbers on this frontend since it started.</summary>
internal sealed class PolicyMeters(string policy, TimeProvider clock)
{
    private readonly Lock _gate = new();
    private long _calls;
    private long _leased;
    private long _returned;
    private long _recalls;
    private long _denied;
    private long _shadowDenied;
    private long _uncounted;
    private long _retiredSpent;
    private long _givenBack;
    private long _admitted;
    private int _inTrouble;
    private long _troubleSince;
    private TimeSpan _trouble;

    public string Policy => policy;

    /// <summary>Grain calls: exchanges and hand-backs, those that failed too.</summary>
    public long Calls => Interlocked.Read(ref _calls);

    public long Leased => Interlocked.Read(ref _leased);

    public long Returned => Interlocked.Read(ref _returned);

    public long Recalls => Interlocked.Read(ref _recalls);

    public long Denied => Interlocked.Read(ref _denied);

    public long ShadowDenied => Interlocked.Read(ref _shadowDenied);

    /// <summary>Admitted without a bucket's permit, by the trouble mode.</summary>
    public long Uncounted => Interlocked.Read(ref _uncounted);

    /// <summary>Permits spent from partitions that this frontend no longer keeps.</summary>
    public long RetiredSpent => Interlocked.Read(ref _retiredSpent);

    /// <summary>Permits that requests took and gave back: unused, by their outcome, or at their end under a concurrency limit.</summary>
    public long GivenBack => Interlocked.Read(ref _givenBack);

    /// <summary>Time during which at least one partition's bucket could not be reached.</summary>
    public TimeSpan Trouble
    {
        get
        {
            lock (_gate)
            {
                return _trouble + (_inTrouble > 0 ? clock.GetElapsedTime(_troubleSince) : TimeSpan.Zero);
            }
        }
    }

    /// <summary>A call is made, whatever comes of it.</summary>
    public void Call() => Interlocked.Increment(ref _calls);

    public void Lease(int permits) => Interlocked.Add(ref _leased, permits);

    /// <summary>Permits have come to their bucket, with a request or by themselves.</summary>
    public void HandBack(int permits) => Interlocked.Add(ref _returned, permits);

    public void Recalled() => Interlocked.Increment(ref _recalls);

    public void Deny() => Interlocked.Increment(ref _denied);

    public void ShadowDeny() => Interlocked.Increment(ref _shadowDenied);

    public void AdmitUncounted() => Interlocked.Increment(ref _uncounted);

    public void Retire(long spent) => Interlocked.Add(ref _retiredSpent, spent);

    public void GiveBack(long permits) => Interlocked.Add(ref _givenBack, permits);

    /// <summary>Keeps a sum that is read while it changes from ever going down.</summary>
    public long HighestAdmitted(long admitted)
    {
        lock (_gate)
        {
            return _admitted = Math.Max(_admitted, admitted);
        }
    }

    public void EnterTrouble()
    {
        lock (_gate)
        {
            if (_inTrouble++ == 0)
            {
                _troubleSince = clock.GetTimestamp();
            }
        }
    }

    public void LeaveTrouble()
    {
        lock (_gate)
        {
            if (--_inTrouble == 0)
            {
                _trouble += clock.GetElapsedTime(_troubleSince);
            }
        }
    }
}

using System.Collections.Concurrent;

namespace Marketplace.Grains.Limits;

/// <summary>
/// Holders that left a recall unanswered, for all buckets of a silo: a frontend that is gone would keep the first caller of each of
/// its buckets waiting, and a flood goes to thousands of them.
/// </summary>
/// <remarks>
/// It decides who is waited for, never what may be granted: what a silent holder has goes on counting as granted. One that only
/// had a long pause is found out by the next word from it, to whatever bucket, or by the one recall a second that asks it all the same.
/// </remarks>
internal sealed class SilentHolders(TimeProvider clock)
{
    private static readonly TimeSpan AskAgainAfter = TimeSpan.FromSeconds(1);

    /// <summary>Nobody has met it for so long: the buckets that it had permits of are no longer asked.</summary>
    private static readonly TimeSpan ForgetAfter = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<Guid, long> _askedAt = [];

    public int Count => _askedAt.Count;

    /// <summary>Whether to go on without asking it. Once a second it is to be asked, and one caller is told so.</summary>
    public bool MayPassOver(Guid holder)
    {
        if (!_askedAt.TryGetValue(holder, out var askedAt))
        {
            return false;
        }

        return clock.GetElapsedTime(askedAt) < AskAgainAfter || !_askedAt.TryUpdate(holder, clock.GetTimestamp(), askedAt);
    }

    /// <summary>It has said something.</summary>
    public void Heard(Guid holder)
    {
        if (_askedAt.ContainsKey(holder)) // of every message: this takes no lock
        {
            _askedAt.TryRemove(holder, out _);
        }
    }

    /// <summary>It has left a recall unanswered.</summary>
    public void LeftUnanswered(Guid holder)
    {
        if (_askedAt.TryAdd(holder, clock.GetTimestamp()))
        {
            foreach (var (other, askedAt) in _askedAt)
            {
                if (clock.GetElapsedTime(askedAt) > ForgetAfter)
                {
                    _askedAt.TryRemove(new(other, askedAt));
                }
            }
        }
    }
}

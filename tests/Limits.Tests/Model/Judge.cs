using Marketplace.Limits;
using Marketplace.WebFrontend.Limits.Leases;

namespace Limits.Tests.Model;

/// <summary>Sees every permit spent, at its true time, and says whether a promise is broken. Knows nothing of how they are kept.</summary>
internal sealed class Judge(Scenario scenario)
{
    private readonly List<TimeSpan> _recent = [];
    private readonly Dictionary<long, (int Count, TimeSpan Last)> _windows = [];
    private readonly List<Spent> _running = [];
    private long _windowNames;
    private (long Newest, long BeforeIt) _spentFrom;
    private double _tokens = scenario.Policy.Limit;
    private TimeSpan _filledAt;

    public string? Verdict { get; private set; }

    public int GivenBack { get; private set; }

    private LimitPolicyOptions Policy => scenario.Policy;

    public long NewWindow() => ++_windowNames;

    public void See(Spent spent)
    {
        _running.Add(spent);
        switch (Policy.Algorithm)
        {
            case LimitAlgorithm.FixedWindow:
                SpentInWindow(spent.Window, spent.At);
                break;
            case LimitAlgorithm.SlidingWindow:
                SpentSliding(spent.At);
                break;
            case LimitAlgorithm.TokenBucket:
                SpentToken(spent.At);
                break;
            default:
                // Requests that outlive their frontend's lease are no longer counted, as a promise that can't be kept.
                var running = _running.Count(one => one.Frontend.HasLease && one.UseEpoch == one.Frontend.UseEpoch);
                Say(running > Policy.Limit, spent.At, $"{running} at the same time");
                break;
        }
    }

    /// <summary>One of the frontend's permits is given back, which under a concurrency limit ends its request.</summary>
    public Spent? TakeBack(ModelFrontend frontend, Predicate<Spent> canBe)
    {
        var at = _running.FindLastIndex(spent => spent.Frontend == frontend && canBe(spent));
        if (at < 0)
        {
            return null;
        }

        var taken = _running[at];
        GivenBack++;
        _running.RemoveAt(at);
        switch (Policy.Algorithm)
        {
            case LimitAlgorithm.FixedWindow:
                _windows[taken.Window] = _windows[taken.Window] with { Count = _windows[taken.Window].Count - 1 };
                break;
            case LimitAlgorithm.SlidingWindow:
                _recent.Remove(taken.At);
                break;
            case LimitAlgorithm.TokenBucket:
                _tokens = Math.Min(Policy.Limit, _tokens + 1);
                break;
        }

        return taken;
    }

    /// <summary>A frontend's requests end with it.</summary>
    public void Died(ModelFrontend frontend) => _running.RemoveAll(spent => spent.Frontend == frontend);

    /// <remarks>
    /// Windows don't overlap and last at least their length. So one that is spent from after two others has begun a whole length after
    /// the last permit of the first of them was spent: the second began no sooner.
    /// </remarks>
    private void SpentInWindow(long window, TimeSpan now)
    {
        var count = _windows.GetValueOrDefault(window).Count + 1;
        _windows[window] = (count, now);
        Say(count > Policy.Limit, now, $"{count} in one window");
        Say(window < _spentFrom.Newest, now, "spent in a window although a later one has begun");
        if (window > _spentFrom.Newest)
        {
            if (_windows.TryGetValue(_spentFrom.BeforeIt, out var twoBefore))
            {
                Say(
                    now - twoBefore.Last < Policy.Window,
                    now,
                    $"a window began {now - twoBefore.Last} after the last permit of the last but one, where one lasts {Policy.Window}");
            }

            _spentFrom = (window, _spentFrom.Newest);
        }
    }

    private void SpentSliding(TimeSpan now)
    {
        _recent.RemoveAll(at => at <= now - Policy.Window);
        _recent.Add(now);
        Say(_recent.Count > Policy.Limit, now, $"{_recent.Count} within {Policy.Window}");
    }

    /// <summary>An ideal bucket that is full at first: what it can't give, nobody may have spent.</summary>
    private void SpentToken(TimeSpan now)
    {
        _tokens = Math.Min(Policy.Limit, _tokens + ((now - _filledAt) / Policy.Window * Policy.Refill));
        _filledAt = now;
        _tokens--;
        Say(_tokens < -1e-6, now, $"{-_tokens} tokens more than an ideal bucket had");
    }

    private void Say(bool isBroken, TimeSpan now, string what)
    {
        if (isBroken)
        {
            Verdict ??= $"at {now}: {what}, limit {Policy.Limit}";
        }
    }
}

/// <summary>A permit that was spent.</summary>
internal sealed record Spent(ModelFrontend Frontend, Lot Lot, long Window, int UseEpoch, TimeSpan At);

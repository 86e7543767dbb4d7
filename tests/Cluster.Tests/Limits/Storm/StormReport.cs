using System.Globalization;

namespace Cluster.Tests.Limits.Storm;

/// <summary>What the storm came to: the judge's findings over all addresses, and how the answers came.</summary>
internal sealed class StormReport
{
    private readonly WindowJudge _judge;
    private readonly int _limit;
    private readonly TimeSpan _window;
    private readonly List<Answer> _all;
    private readonly List<(int Address, JudgedWindow Window)> _over = [];
    private int _judged;
    private int _exhausted;
    private int _unusedInExhausted;
    private int _lostInExhausted;
    private int _mostUnused;
    private int _wantedInVain;
    private int _full;
    private int _oneNoticed;
    private int _tenthNoticed;

    public StormReport(IReadOnlyList<IReadOnlyList<Answer>> answers, int limit, TimeSpan window)
    {
        (_judge, _limit, _window) = (new WindowJudge(limit, window), limit, window);
        _all = [.. answers.SelectMany(ofAddress => ofAddress)];
        for (var address = 0; address < answers.Count; address++)
        {
            Judge(address, answers[address]);
        }
    }

    private int Tenth => Math.Max(1, _limit / 10);

    /// <summary>Windows that admitted more than the limit.</summary>
    public IReadOnlyList<(int Address, JudgedWindow Window)> Over => _over;

    /// <summary>Windows that admitted something.</summary>
    public int Judged => _judged;

    /// <summary>
    /// Of the windows that were full, the share in which the judge would have noticed a tenth too much. A single permit may
    /// hide: who was the first of a window may have been the last of the one before, if that one was not full.
    /// </summary>
    public double Sharpness => _full == 0 ? 0 : (double)_tenthNoticed / _full;

    public IEnumerable<string> Lines()
    {
        yield return Text($"{_judged} windows judged, {_over.Count} over {_limit}");
        yield return Text(
            $"of the {_full} full windows, {Tenth} permits too many would have been noticed in {_tenthNoticed} ({Sharpness:P1}), one in {_oneNoticed}");
        var permits = (double)_exhausted * _limit;
        yield return Text(
            $"how far under: {_unusedInExhausted / permits:P2} of the permits of {_exhausted} windows in which somebody was denied");
        yield return Text(
            $"    ({_unusedInExhausted} unused, at most {_mostUnused} in one; {_lostInExhausted} requests there had no answer and may have used some)");
        yield return Text($"{_wantedInVain} more windows were asked for {_limit} or more, denied nobody and stayed below: the cluster was in trouble");
        foreach (var status in _all.GroupBy(answer => answer.Status).OrderByDescending(group => group.Count()))
        {
            var took = status.Select(answer => (answer.AnsweredAt - answer.SentAt).TotalMilliseconds).Order().ToList();
            var name = status.Key switch { Answer.Broken => "broken", Answer.TimedOut => "timed out", var code => Text($"{code}") };
            yield return Text($"{took.Count,8} x {name,-10} median {took[took.Count / 2]:F0} ms, p99 {took[took.Count * 99 / 100]:F0} ms, max {took[^1]:F0} ms");
        }
    }

    private void Judge(int address, IReadOnlyList<Answer> answers)
    {
        var admissions = answers.Where(answer => answer.Status == 200).Select(answer => answer.ToAdmission()).ToList();
        var firstSentAt = answers.Count == 0 ? TimeSpan.Zero : answers.Min(answer => answer.SentAt);
        var windows = _judge.Judge(firstSentAt, admissions);
        foreach (var window in windows.Where(window => window.Admitted > 0))
        {
            _judged++;
            Count(window, answers);
            if (window.IsOver)
            {
                _over.Add((address, window));
            }
            else if (window.Admitted == _limit)
            {
                _full++;
                _oneNoticed += WouldNotice(1, window, firstSentAt, admissions) ? 1 : 0;
                _tenthNoticed += WouldNotice(Tenth, window, firstSentAt, admissions) ? 1 : 0;
            }
        }
    }

    private void Count(JudgedWindow window, IReadOnlyList<Answer> answers)
    {
        var inside = answers.Where(answer => answer.SentAt >= window.From && answer.AnsweredAt < window.Until).ToList();
        var unused = Math.Max(0, _limit - window.Admitted);
        if (inside.Exists(answer => answer.Status == 429))
        {
            _exhausted++;
            _unusedInExhausted += unused;
            _mostUnused = Math.Max(_mostUnused, unused);
            _lostInExhausted += inside.Count(answer => answer.Status is Answer.Broken or Answer.TimedOut);
        }
        else if (unused > 0 && inside.Count(answer => answer.SentAt < window.From + _window) >= _limit)
        {
            _wantedInVain++;
        }
    }

    /// <summary>The judge is judged: the admission in the middle of a full window is counted several times.</summary>
    private bool WouldNotice(int more, JudgedWindow window, TimeSpan firstSentAt, List<Admission> admissions)
    {
        var inside = admissions.Where(admission => admission.SentAt >= window.From && admission.AnsweredAt < window.Until).ToList();
        return inside.Count > 0 && _judge
            .Judge(firstSentAt, [.. admissions, .. Enumerable.Repeat(inside[inside.Count / 2], more)])
            .Any(judged => judged.IsOver);
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

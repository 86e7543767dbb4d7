namespace Cluster.Tests.Limits.Storm;

/// <summary>A request that was admitted, as its client saw it, on the client's monotonic clock.</summary>
/// <param name="SentAt">Before its first byte left.</param>
/// <param name="AnsweredAt">After the answer had come.</param>
/// <param name="ResetsWithin">What the answer said (<c>t=</c>): its window ends by then, counted from the answer. Null if it said nothing.</param>
internal readonly record struct Admission(TimeSpan SentAt, TimeSpan AnsweredAt, TimeSpan? ResetsWithin = null);

/// <summary>One window of an explanation, at the judge's resolution; <paramref name="Until"/> is the start of the next.</summary>
internal readonly record struct JudgedWindow(TimeSpan From, TimeSpan Until, int Admitted, bool IsOver);

/// <summary>
/// Says from outside whether what one partition admitted can be explained by fixed windows of at most so many permits.
/// </summary>
/// <remarks>
/// <para><b>What a right limiter promises.</b> Windows don't overlap and last at least their length (a crash may prolong one,
/// never shorten it); every admitted request was decided in its window at some instant between sent and answered; a
/// window admits at most the limit; and a client is not told that a window ends sooner than it does.</para>
/// <para><b>What follows for one admitted request.</b> Its window ended after <c>sent</c>. It started by
/// <c>latest = min(answered, answered + t - length)</c>, since it ends by <c>answered + t</c> and lasts at least its length.
/// Where <c>t</c> puts <c>latest</c> before <c>sent</c>, no window can have started between the two. Nothing else is
/// assumed: not which request opened a window, since that one's answer may have been lost with a frontend; not that a
/// window ended when it was said to; nothing of pauses or clocks, which all work in the same direction.</para>
/// <para><b>The question</b> is whether instants exist at which windows start, at least a length apart (the time between two
/// windows counts for the first), so that each admitted request has a window and none has too many. With
/// <c>must(c)</c> = requests whose <c>latest</c> is before c and <c>may(c)</c> = requests sent before c, the most that
/// windows before a start at c can account for is <c>most(c) = min(may(c), limit + max most(b) for b at most c - length)</c>,
/// and c is a possible start if <c>most(c) &gt;= must(c)</c>. As most() grows with c, the latest possible start is always the
/// best one to go on from: one pass decides. If at some instant must() exceeds what the latest possible start and one more
/// window can account for, no explanation exists, and a window was over.</para>
/// <para><b>Rounding.</b> Time is cut into steps; sent is rounded down, latest and starts up, so that every true explanation
/// stays one: the judge can only become more lenient. The tolerance covers clocks that are slewed.</para>
/// <para>The partition must be new: its first window starts no earlier than its first request, whatever became of that one.</para>
/// </remarks>
internal sealed class WindowJudge
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Tolerance = TimeSpan.FromMilliseconds(60);
    private readonly int _limit;
    private readonly int _length; // in steps, as all times below
    private readonly TimeSpan _window;

    public WindowJudge(int limit, TimeSpan window)
    {
        _limit = limit;
        _length = (int)((window - Tolerance) / Step);
        _window = _length * Step;
    }

    /// <summary>The windows of the best explanation, in order: as many as possible, those over the limit marked.</summary>
    /// <param name="firstSentAt">When the partition was asked for the first time, admitted or not.</param>
    /// <param name="admissions">What was admitted, in any order.</param>
    public IReadOnlyList<JudgedWindow> Judge(TimeSpan firstSentAt, IReadOnlyCollection<Admission> admissions)
    {
        var windows = new List<JudgedWindow>();
        if (admissions.Count == 0)
        {
            return windows;
        }

        var origin = (int)Math.Floor(firstSentAt / Step);
        var spans = admissions.Select(admission => ToSpan(admission, origin)).ToList();
        var (first, earliestStart) = (0, _length);
        while (spans.Count > 0)
        {
            var pass = new Pass(spans, first, earliestStart, _limit, _length);
            var found = pass.Windows();
            windows.AddRange(found.Take(found.Count - 1));
            if (pass.OverAt is not { } over)
            {
                windows.Add(found[^1]);
                break;
            }

            // All that must be in the culprit, or before the next window can have started, is its own; then the judge goes
            // on, and knows nothing of the window that runs then, nor how old it is.
            var next = Math.Max(over, (int)(found[^1].From / Step) + _length);
            var admitted = spans.Count(span => span.Latest < next) - found.Take(found.Count - 1).Sum(window => window.Admitted);
            windows.Add(found[^1] with { Until = next * Step, Admitted = admitted });
            spans.RemoveAll(span => span.Sent < next || span.Latest < next);
            (first, earliestStart) = (next, next + 1);
        }

        return [.. windows.Select(window => window with { From = At(window.From), Until = At(window.Until) })];

        TimeSpan At(TimeSpan steps) => (origin * Step) + steps;
    }

    private Span ToSpan(in Admission admission, int origin)
    {
        var latest = admission.ResetsWithin is { } resets && resets < _window
            ? admission.AnsweredAt + resets - _window
            : admission.AnsweredAt;
        return new((int)Math.Floor(admission.SentAt / Step) - origin, Math.Max(0, (int)Math.Ceiling(latest / Step) - origin));
    }

    /// <param name="Sent">Its window ended after this.</param>
    /// <param name="Latest">Its window started at or before this.</param>
    private readonly record struct Span(int Sent, int Latest);

    /// <summary>One pass over a history, until its end or until something can't be explained.</summary>
    private sealed class Pass
    {
        private readonly int _first;
        private readonly int _limit;
        private readonly int[] _must;
        private readonly int[] _most; // -1: no window can start there
        private readonly int[] _latestStart; // the latest possible start at or before
        private readonly int[] _from; // for a start, the start before it

        public Pass(IReadOnlyCollection<Span> spans, int first, int earliestStart, int limit, int length)
        {
            (_first, _limit) = (first, limit);
            var end = spans.Max(span => Math.Max(span.Sent, span.Latest)) - first + 2;
            (_must, _most, _latestStart, _from) = (new int[end], new int[end], new int[end], new int[end]);
            var may = new int[end];
            var closed = new int[end];
            foreach (var (sent, latest) in spans.Select(span => (span.Sent - first, Math.Max(0, span.Latest - first))))
            {
                may[sent + 1]++;
                _must[latest + 1]++;
                if (latest < sent)
                {
                    closed[latest + 1]++;
                    closed[sent + 1]--;
                }
            }

            for (var at = 1; at < end; at++)
            {
                may[at] += may[at - 1];
                _must[at] += _must[at - 1];
                closed[at] += closed[at - 1];
                var before = Math.Max(0, at - length);
                _from[at] = _latestStart[before];
                var isOpen = closed[at] == 0 && at + first >= earliestStart && _must[at] < spans.Count; // none starts after the last request
                var most = isOpen ? Math.Min(may[at], limit + _most[_from[at]]) : -1;
                _most[at] = most >= _must[at] ? most : -1;
                _latestStart[at] = _most[at] >= 0 ? at : _latestStart[at - 1];
                if (_must[at] > limit + _most[_latestStart[at]])
                {
                    OverAt = at + first;
                    return;
                }
            }
        }

        /// <summary>Where no explanation exists any more, or null.</summary>
        public int? OverAt { get; }

        /// <summary>The windows, as durations from the origin; the last is over if there is an <see cref="OverAt"/>.</summary>
        public IReadOnlyList<JudgedWindow> Windows()
        {
            var until = OverAt - _first ?? _must.Length - 1;
            var from = _latestStart[until];
            var windows = new List<JudgedWindow> { Window(from, until, _must[until] - _most[from]) };
            while (from > 0)
            {
                until = from;
                from = _from[until];
                windows.Add(Window(from, until, _most[until] - _most[from]));
            }

            windows.Reverse();
            return windows;
        }

        private JudgedWindow Window(int from, int until, int admitted) =>
            new((_first + from) * Step, (_first + until) * Step, admitted, admitted > _limit);
    }
}

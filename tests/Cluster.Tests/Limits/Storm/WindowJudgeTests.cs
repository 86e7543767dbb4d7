namespace Cluster.Tests.Limits.Storm;

public sealed class WindowJudgeTests
{
    private const int Limit = 10;
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(20);

    [Fact]
    public void Nothing_admitted_is_no_window() => Assert.Empty(Judge([]));

    [Fact]
    public void A_full_window_is_accepted_and_one_permit_more_is_not()
    {
        var full = Enumerable.Range(0, Limit).Select(i => At(i * 0.5)).ToList();

        Assert.Equal([Limit], Judge(full).Select(window => window.Admitted));
        var over = Assert.Single(Judge([.. full, At(12)]));
        Assert.True(over.IsOver);
        Assert.Equal(Limit + 1, over.Admitted);
    }

    [Fact]
    public void Twice_the_limit_on_both_sides_of_a_boundary_is_accepted_where_a_boundary_can_be()
    {
        // The first opens a window at 0, which admits nothing more until 19.9; the next opens right after it.
        var first = Enumerable.Range(0, Limit).Select(i => i == 0 ? At(0) : At(19.8 + (i * 0.001)));
        var second = Enumerable.Range(0, Limit).Select(i => At(20.1 + (i * 0.001)));

        Assert.Equal([Limit, Limit], Judge([.. first, .. second]).Select(window => window.Admitted));
    }

    [Fact]
    public void Twice_the_limit_at_once_is_over_where_the_partition_is_new() =>
        Assert.Contains(Judge([.. Enumerable.Range(0, 2 * Limit).Select(i => At(i * 0.01))]), window => window.IsOver);

    [Fact]
    public void A_window_may_have_been_opened_by_a_request_that_was_never_answered()
    {
        var history = Enumerable.Range(0, Limit).Select(i => At(18 + (i * 0.1)))
            .Concat(Enumerable.Range(0, Limit).Select(i => At(21 + (i * 0.1)))).ToList();

        Assert.DoesNotContain(Judge(history, firstSentAt: Seconds(0)), window => window.IsOver);
        Assert.Contains(Judge(history, firstSentAt: Seconds(18)), window => window.IsOver);
    }

    [Fact]
    public void What_was_under_way_for_long_may_belong_to_either_window()
    {
        var first = Enumerable.Range(0, Limit - 1).Select(i => At(i));
        var between = new Admission(Seconds(15), Seconds(24));
        var second = Enumerable.Range(0, Limit).Select(i => At(21 + i));

        Assert.DoesNotContain(Judge([.. first, between, .. second]), window => window.IsOver);
        Assert.Contains(Judge([.. first, At(10), between, .. second]), window => window.IsOver);
    }

    [Fact]
    public void A_window_that_was_said_to_last_on_cannot_have_been_replaced()
    {
        // Few before 20, many after: without what they were told, some of the many could be of the first window.
        Admission[] few = [At(0, resets: 20), At(5, resets: 15)];
        var many = Enumerable.Range(0, Limit + 1).Select(i => At(30 + i)).ToList();
        var told = many.Select((admission, i) => admission with { ResetsWithin = Seconds(19 - i) });

        Assert.DoesNotContain(Judge([.. few, .. many]), window => window.IsOver);
        Assert.Contains(Judge([.. few, .. told]), window => window.IsOver);
    }

    [Fact]
    public void After_a_window_that_was_over_the_next_is_judged_again()
    {
        var history = Enumerable.Range(0, 5).SelectMany(k => Enumerable.Range(0, k is 1 or 3 ? 2 * Limit : Limit)
            .Select(i => At((k * 21) + i, resets: 20 - i)));

        Assert.Equal(2, Judge([.. history]).Count(window => window.IsOver));
    }

    [Fact]
    public void A_window_that_was_far_over_is_one_window()
    {
        var history = Enumerable.Range(0, 3 * Limit).Select(i => At(i * 0.5, resets: Math.Ceiling(20 - (i * 0.5))))
            .Concat(Enumerable.Range(0, Limit).Select(i => At(21 + i, resets: 20 - i)));

        var windows = Judge([.. history]);
        Assert.Equal(3 * Limit, windows[0].Admitted);
        Assert.True(windows[0].IsOver);
        Assert.DoesNotContain(windows.Skip(1), window => window.IsOver);
    }

    [Fact]
    public void A_right_limiter_is_never_accused_and_three_permits_too_many_are_mostly_noticed()
    {
        var (full, noticed) = (0, 0);
        for (var seed = 0; seed < 300; seed++)
        {
            var history = new RightLimiter(seed, Limit, Window);
            Assert.True(Judge(history.Admissions, history.FirstSentAt).All(window => !window.IsOver), $"seed {seed} is accused");
            foreach (var one in history.FullWindows)
            {
                full++;
                noticed += Judge([.. history.Admissions, one, one, one], history.FirstSentAt).Any(window => window.IsOver) ? 1 : 0;
            }
        }

        Assert.True(full > 500, $"only {full} windows were full");
        Assert.True(noticed > 0.8 * full, $"only {noticed} of {full} would have been noticed");
    }

    private static IReadOnlyList<JudgedWindow> Judge(IReadOnlyCollection<Admission> admissions, TimeSpan firstSentAt = default) =>
        new WindowJudge(Limit, Window).Judge(firstSentAt, admissions);

    private static Admission At(double sent, double? resets = null) =>
        new(Seconds(sent), Seconds(sent + 0.005), resets is { } seconds ? Seconds(seconds) : null);

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);
}

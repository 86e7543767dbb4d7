namespace Marketplace.Grains.Frontends;

/// <summary>
/// What a grain answers, for all of this silo's grains that want to know: asked for again when it is no longer fresh, by one for
/// all who want it meanwhile. It ages from the moment it was asked for.
/// </summary>
internal sealed class SharedAnswer<T>(Func<Task<T>> ask, TimeSpan freshFor, TimeProvider clock)
{
    private readonly Lock _gate = new();
    private Task<Aged>? _latest;

    /// <summary>The latest answer, or one that is under way.</summary>
    public Task<Aged> GetAsync()
    {
        lock (_gate)
        {
            return _latest is { IsFaulted: false, IsCanceled: false } latest
                && (!latest.IsCompleted || IsFresh(latest.GetAwaiter().GetResult())) ? latest : Start();
        }
    }

    /// <summary>An answer to a question that is asked now.</summary>
    public async Task<T> AskAsync()
    {
        Task<Aged> asked;
        lock (_gate)
        {
            asked = Start();
        }

        return (await asked).Answer;
    }

    /// <summary>It may have taken longer than it counts for.</summary>
    public bool IsFresh(Aged answer) => clock.GetElapsedTime(answer.AskedAt) < freshFor;

    private Task<Aged> Start()
    {
        var askedAt = clock.GetTimestamp();
        return _latest = Task.Run(async () => new Aged(await ask(), askedAt));
    }

    /// <param name="Answer">The answer.</param>
    /// <param name="AskedAt">When it was asked for, as the clock counts.</param>
    internal sealed record Aged(T Answer, long AskedAt);
}

using Marketplace.Grains.Limits.Storage;

namespace Limits.Tests.Model;

/// <summary>The row of the bucket. Statements arrive late or never, and their acknowledgements may be lost.</summary>
internal sealed class ModelStore(World world)
{
    private Row? _row;
    private long _etags;
    private TimeSpan _setBackBy;

    /// <summary>Whether the row says who holds what.</summary>
    public bool HasHandOver => _row is { HandOver: not null } row && row.ExpiresAt > Clock;

    /// <summary>Sets the database's clock back.</summary>
    public void SetBack(TimeSpan by) => _setBackBy += by;

    /// <param name="write">The statement.</param>
    /// <param name="done">
    /// Called with the outcome and the fixed window that the row is in (only the judge looks at it), or with null when the writer
    /// can't know it.
    /// </param>
    public void Open(BucketWrite write, Action<(OpenedBucket? Outcome, long Window)?> done) => Execute(() =>
    {
        if (_row is { } row && row.ExpiresAt > Clock)
        {
            var handOver = row.HandOver;
            if (handOver is not null)
            {
                row = _row = row with { HandOver = null, Etag = ++_etags };
            }

            return ((OpenedBucket?)new(row.Etag, new(row.Write.State, Clock - row.WrittenAt, row.Etag, handOver)), row.Window);
        }

        var window = world.Judge.NewWindow();
        Put(write, window);
        return (new OpenedBucket(_row!.Etag, null), window);
    }, done);

    /// <param name="write">The statement.</param>
    /// <param name="window">The window that the writer is in; null when it opens one, which is named when the statement is carried out.</param>
    /// <param name="done">As in <see cref="Open"/>.</param>
    public void Write(BucketWrite write, long? window, Action<(long? Etag, long Window)?> done) => Execute(() =>
    {
        if (_row is { } row && row.Etag != write.Etag)
        {
            return ((long?)null, row.Window);
        }

        var named = window ?? world.Judge.NewWindow();
        Put(write, named);
        return (_row!.Etag, named);
    }, done);

    private TimeSpan Clock => world.Now - _setBackBy;

    private void Put(BucketWrite write, long window) =>
        _row = new(write, ++_etags, Clock, Clock + write.Life, write.HandOver, window);

    private void Execute<T>(Func<T> statement, Action<T?> done) where T : struct
    {
        var reported = false;
        world.At(Soon(), () =>
        {
            if (world.IsTroubled && world.Chance(4))
            {
                world.At(TimeSpan.FromMilliseconds(50), () => Report(null)); // the connection broke before it arrived
                return;
            }

            var outcome = statement();
            if (world.IsTroubled && world.Chance(4))
            {
                world.At(TimeSpan.FromMilliseconds(50), () => Report(null)); // or after it took
                return;
            }

            world.At(Soon(), () => Report(outcome));
        });

        void Report(T? outcome)
        {
            if (!reported)
            {
                reported = true;
                done(outcome);
            }
        }
    }

    private TimeSpan Soon() => TimeSpan.FromMilliseconds(world.IsTroubled && world.Chance(5) ? world.Random(3_000) : 1 + world.Random(4));

    private sealed record Row(BucketWrite Write, long Etag, TimeSpan WrittenAt, TimeSpan ExpiresAt, string? HandOver, long Window);
}

using Marketplace.Grains.Limits.Storage;

namespace Grains.Tests.Limits;

/// <summary>The store's contract without PostgreSQL.</summary>
internal sealed class MemoryBucketStore : IBucketStore
{
    private readonly Dictionary<string, (BucketWrite Write, long At, long Etag)> _rows = [];
    private readonly Lock _gate = new();
    private long _etags;

    public ValueTask<BucketRow?> ReadAsync(string key)
    {
        lock (_gate)
        {
            return new(Find(key));
        }
    }

    public ValueTask<OpenedBucket?> OpenAsync(BucketWrite first)
    {
        lock (_gate)
        {
            if (Find(first.Key) is not { } row)
            {
                return new(new OpenedBucket(Put(first), Existing: null));
            }

            if (row.HandOver is not null)
            {
                _rows[first.Key] = (_rows[first.Key].Write with { HandOver = null }, _rows[first.Key].At, ++_etags);
            }

            return new(new OpenedBucket(_rows[first.Key].Etag, row with { Etag = _rows[first.Key].Etag }));
        }
    }

    public ValueTask<long?> WriteAsync(BucketWrite write)
    {
        lock (_gate)
        {
            return new(_rows.TryGetValue(write.Key, out var row) && row.Etag != write.Etag ? null : Put(write));
        }
    }

    /// <summary>Writes as another activation would.</summary>
    public async Task OvertakeAsync(string key, int permits)
    {
        var row = (await ReadAsync(key))!;
        await WriteAsync(new(key, new([(row.State.Parts[0].EndsIn, permits)]), TimeSpan.FromHours(1), row.Etag));
    }

    /// <summary>Waits until a row says <paramref name="permits"/>.</summary>
    public async Task WaitForAsync(string key, int permits)
    {
        for (var attempts = 0; (await ReadAsync(key))?.State.Held != permits; attempts++)
        {
            Assert.True(attempts < 200, $"The row of {key} never said {permits}.");
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
        }
    }

    private BucketRow? Find(string key)
    {
        if (!_rows.TryGetValue(key, out var row))
        {
            return null;
        }

        var age = TimeSpan.FromMilliseconds(Environment.TickCount64 - row.At);
        return age < row.Write.Life ? new(row.Write.State, age, row.Etag, row.Write.HandOver) : null;
    }

    private long Put(BucketWrite write)
    {
        _rows[write.Key] = (write, Environment.TickCount64, ++_etags);
        return _etags;
    }
}

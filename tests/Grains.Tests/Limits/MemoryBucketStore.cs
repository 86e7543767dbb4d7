using System.Collections.Concurrent;
using Marketplace.Grains.Limits.Storage;

namespace Grains.Tests.Limits;

/// <summary>The store's contract without PostgreSQL.</summary>
internal sealed class MemoryBucketStore : IBucketStore
{
    private readonly ConcurrentDictionary<string, (int Reserved, long EndsAt, long Etag)> _rows = new();
    private readonly Lock _gate = new();
    private long _etags;

    public ValueTask<BucketRow?> ReadAsync(string key) => new(_rows.TryGetValue(key, out var row)
        ? new BucketRow(row.Reserved, TimeSpan.FromMilliseconds(row.EndsAt - Environment.TickCount64), row.Etag)
        : null);

    public ValueTask<long?> WriteAsync(BucketWrite write)
    {
        lock (_gate)
        {
            var known = _rows.TryGetValue(write.Key, out var row);
            if (known ? row.Etag != write.Etag : !write.Opens)
            {
                return new((long?)null);
            }

            var endsAt = write.Opens ? Environment.TickCount64 + (long)write.Remaining.TotalMilliseconds : row.EndsAt;
            _rows[write.Key] = (write.Reserved, endsAt, ++_etags);
            return new(_etags);
        }
    }

    /// <summary>Writes as another activation would.</summary>
    public async Task OvertakeAsync(string key, int reserved) =>
        await WriteAsync(new(key, Opens: false, reserved, default, (await ReadAsync(key))!.Value.Etag));

    /// <summary>Waits until a row says <paramref name="reserved"/>.</summary>
    public async Task WaitForAsync(string key, int reserved)
    {
        for (var attempts = 0; (await ReadAsync(key))?.Reserved != reserved; attempts++)
        {
            Assert.True(attempts < 200, $"The row of {key} never said {reserved}.");
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
        }
    }
}

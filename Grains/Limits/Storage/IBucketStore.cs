namespace Marketplace.Grains.Limits.Storage;

/// <summary>Where buckets persist what they reserved.</summary>
internal interface IBucketStore
{
    /// <summary>Reads a bucket's row, or null if there is none.</summary>
    ValueTask<BucketRow?> ReadAsync(string key);

    /// <summary>Writes once committed. Returns the new etag, or null if another writer was there first.</summary>
    ValueTask<long?> WriteAsync(BucketWrite write);
}

/// <summary>A stored bucket.</summary>
/// <param name="Reserved">Permits that may have been granted.</param>
/// <param name="Remaining">Time left in the window when the row was read; not positive when the window is over.</param>
/// <param name="Etag">Of the last write.</param>
internal readonly record struct BucketRow(int Reserved, TimeSpan Remaining, long Etag);

/// <summary>One write to one bucket.</summary>
/// <param name="Key">The bucket's key.</param>
/// <param name="Opens">Whether it starts a window; only then may the row be missing, and only then is its end set.</param>
/// <param name="Reserved">Permits that may be granted from then on.</param>
/// <param name="Remaining">Time left in the window when the write was handed over.</param>
/// <param name="Etag">The etag last seen, or null if there was no row.</param>
internal readonly record struct BucketWrite(string Key, bool Opens, int Reserved, TimeSpan Remaining, long? Etag);

using Marketplace.Grains.Limits.Pools;

namespace Marketplace.Grains.Limits.Storage;

/// <summary>Where buckets persist what they reserved.</summary>
internal interface IBucketStore
{
    /// <summary>Reads a bucket's row and leaves it as it is; null if there is none that still matters.</summary>
    ValueTask<BucketRow?> ReadAsync(string key);

    /// <summary>
    /// Writes a first row where there is none that still matters, once committed; else answers with the row that is there and
    /// takes its hand-over out of it. One round trip for both.
    /// </summary>
    /// <returns>Whose row it is; null when another writer got in between.</returns>
    ValueTask<OpenedBucket?> OpenAsync(BucketWrite first);

    /// <summary>Writes once committed. Returns the new etag, or null if another writer was there first.</summary>
    ValueTask<long?> WriteAsync(BucketWrite write);
}

/// <summary>A stored bucket.</summary>
/// <param name="State">What may have been granted when it was written.</param>
/// <param name="Age">Time since then.</param>
/// <param name="Etag">Of the last write.</param>
/// <param name="HandOver">Who holds leases, if the bucket moved in an orderly way and nobody has taken that over.</param>
internal sealed record BucketRow(StoredPermits State, TimeSpan Age, long Etag, string? HandOver);

/// <summary>The outcome of opening a bucket.</summary>
/// <param name="Etag">Of what was written; with <paramref name="Existing"/>, of that.</param>
/// <param name="Existing">The row that was there before; null when the first row was written.</param>
internal readonly record struct OpenedBucket(long Etag, BucketRow? Existing);

/// <summary>One write to one bucket.</summary>
/// <param name="Key">The bucket's key.</param>
/// <param name="State">What may be granted from then on.</param>
/// <param name="Life">How long the row matters.</param>
/// <param name="Etag">The etag last seen, or null if there was no row.</param>
/// <param name="HandOver">Who holds leases, for a bucket that moves.</param>
internal sealed record BucketWrite(string Key, StoredPermits State, TimeSpan Life, long? Etag, string? HandOver = null);

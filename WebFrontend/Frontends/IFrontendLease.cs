namespace Marketplace.WebFrontend.Frontends;

/// <summary>This process's lease, by its own monotonic clock: never longer than the cluster's view of it.</summary>
public interface IFrontendLease
{
    /// <summary>
    /// The epoch under which slots and listeners are held now, or null while there is no valid lease: then nothing may be
    /// admitted, and no message may pass. Costs one tick comparison.
    /// </summary>
    long? Epoch { get; }

    /// <summary>Cancelled when the lease <paramref name="epoch"/> ends; already cancelled if it isn't the current one.</summary>
    CancellationToken EndOf(long epoch);

    /// <summary>Completes with the epoch once there is a valid lease.</summary>
    ValueTask<long> WaitForEpochAsync(CancellationToken cancellationToken);
}

namespace Marketplace.Grains.Storage;

public static class StorageSiloBuilderExtensions
{
    /// <summary>What all grains of the service share: how failures of the storage are told to callers.</summary>
    public static ISiloBuilder AddStorageTrouble(this ISiloBuilder silo) =>
        silo.AddIncomingGrainCallFilter<StorageTroubleFilter>();
}

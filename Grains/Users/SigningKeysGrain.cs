using Marketplace.Users;
using Orleans.Concurrency;

namespace Marketplace.Grains.Users;

/// <summary>Every silo can answer: the keys are PostgreSQL's.</summary>
[StatelessWorker, Reentrant]
internal sealed class SigningKeysGrain(SigningKeys keys) : Grain, ISigningKeysGrain
{
    public ValueTask<IReadOnlyList<PublicSigningKey>> GetPublicKeys() => keys.GetPublicAsync();
}

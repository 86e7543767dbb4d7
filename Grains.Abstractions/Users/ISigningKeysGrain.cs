namespace Marketplace.Users;

/// <summary>
/// The public halves of the keys that sign access tokens. A frontend verifies with them; the private halves never leave the
/// silos. Any key of the grain will do.
/// </summary>
[Alias("users.signing-keys")]
public interface ISigningKeysGrain : IGrainWithIntegerKey
{
    /// <summary>All keys by which a valid token may be signed now or within the next hour, as PostgreSQL holds them.</summary>
    /// <exception cref="Trouble.UnavailableException">PostgreSQL can't be reached and the silo knows no key.</exception>
    [Alias("get")]
    ValueTask<IReadOnlyList<PublicSigningKey>> GetPublicKeys();
}

/// <summary>A public key for ES256.</summary>
/// <param name="Id">The <c>kid</c> of the tokens that it verifies.</param>
/// <param name="SubjectPublicKeyInfo">The key, DER encoded (X.509).</param>
[GenerateSerializer, Immutable, Alias("users.public-key")]
public sealed record PublicSigningKey([property: Id(0)] string Id, [property: Id(1)] byte[] SubjectPublicKeyInfo);

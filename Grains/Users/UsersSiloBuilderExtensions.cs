using Marketplace.Hosting.Settings;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Marketplace.Grains.Users;

public static class UsersSiloBuilderExtensions
{
    /// <summary>Accounts, sessions and the keys of access tokens. Needs the process's database. Idempotent.</summary>
    public static ISiloBuilder AddUsers(this ISiloBuilder silo)
    {
        silo.Services.AddSettings<UsersSettings>(UsersSettings.Section);
        silo.Services.TryAddSingleton<SigningKeys>();
        silo.Services.TryAddSingleton<AccessTokenIssuer>();
        return silo;
    }
}

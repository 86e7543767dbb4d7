using Marketplace.Grains.Mail;
using Marketplace.Hosting.Settings;
using Marketplace.Users;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Marketplace.Grains.Users;

public static class UsersSiloBuilderExtensions
{
    /// <summary>Accounts, sessions, the keys of access tokens, and mail. Needs the process's database. Idempotent.</summary>
    public static ISiloBuilder AddUsers(this ISiloBuilder silo)
    {
        silo.AddMail();
        silo.Services.AddUserLimits();
        silo.Services.AddSettings<UsersSettings>(UsersSettings.Section);
        silo.Services.TryAddSingleton<PasswordHashing>();
        silo.Services.TryAddSingleton<SigningKeys>();
        silo.Services.TryAddSingleton<AccessTokenIssuer>();
        silo.Services.TryAddSingleton<UserMails>();
        silo.Services.AddHostedService<UsersSweeper>();
        return silo;
    }
}

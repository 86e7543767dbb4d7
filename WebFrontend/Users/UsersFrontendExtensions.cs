using Marketplace.Users;

namespace Marketplace.WebFrontend.Users;

internal static class UsersFrontendExtensions
{
    /// <summary>Access tokens, for every feature that asks who the caller is.</summary>
    public static IServiceCollection AddUsers(this IServiceCollection services) =>
        services.AddAccessTokens().AddUserLimits().AddSingleton<AccountPermits>();

    /// <summary>Accounts, sessions and the caller's own profile.</summary>
    public static IEndpointRouteBuilder MapUsers(this IEndpointRouteBuilder routes)
    {
        routes.MapAccounts();
        routes.MapProfile();
        return routes;
    }
}

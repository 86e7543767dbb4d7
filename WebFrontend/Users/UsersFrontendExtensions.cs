namespace Marketplace.WebFrontend.Users;

internal static class UsersFrontendExtensions
{
    /// <summary>Access tokens and the endpoints of accounts.</summary>
    public static IServiceCollection AddUsers(this IServiceCollection services) => services.AddAccessTokens();

    public static IEndpointRouteBuilder MapUsers(this IEndpointRouteBuilder routes)
    {
        return routes;
    }
}

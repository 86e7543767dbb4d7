using Marketplace.Users;

namespace Marketplace.WebFrontend.Users;

internal static class OperatorEndpoints
{
    /// <summary>Where a feature maps what only operators may do.</summary>
    public static RouteGroupBuilder MapOperations(this IEndpointRouteBuilder routes) =>
        routes.MapGroup("/api/v1/operations").RequireAuthorization(UserRoles.Operator);
}

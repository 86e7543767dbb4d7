using Marketplace.Users;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Authorization;
using Microsoft.IdentityModel.Tokens;

namespace Marketplace.WebFrontend.Users;

internal static class AuthenticationExtensions
{
    /// <summary>How far the clocks of a silo and a frontend may be apart.</summary>
    private static readonly TimeSpan ClockSkew = TimeSpan.FromSeconds(10);

    /// <summary>Access tokens as silos sign them, and the policies named after roles.</summary>
    public static IServiceCollection AddAccessTokens(this IServiceCollection services)
    {
        services.AddSingleton<AccessTokenKeys>();
        services.AddSingleton<AccessTokenEvents>();
        services.AddAuthentication(JwtBearerDefaults.AuthenticationScheme).AddJwtBearer();
        services.AddOptions<JwtBearerOptions>(JwtBearerDefaults.AuthenticationScheme).Configure<AccessTokenKeys>((options, keys) =>
        {
            options.EventsType = typeof(AccessTokenEvents);
            options.MapInboundClaims = false;
            options.SaveToken = false;
            options.TokenValidationParameters = new TokenValidationParameters
            {
                ValidIssuer = AccessTokens.Issuer,
                ValidAudience = AccessTokens.Audience,
                ValidAlgorithms = [AccessTokens.Algorithm],
                ValidTypes = [AccessTokens.Type],
                ClockSkew = ClockSkew,
                TryAllIssuerSigningKeys = false,
                IssuerSigningKeyResolver = (_, _, keyId, _) => keys.Find(keyId) is { } key ? [key] : [],
                NameClaimType = AccessTokens.UserId,
                RoleClaimType = AccessTokens.Roles,
            };
        });
        services.AddAuthorizationBuilder()
            .AddPolicy(UserRoles.Operator, policy => policy.RequireRole(UserRoles.Operator));
        return services;
    }

    /// <summary>
    /// Verifies the token of requests that bring one. The others are anonymous without asking: the authentication handler would
    /// cost them a twentieth of all the time that a request without a body takes.
    /// </summary>
    public static WebApplication UseAccessTokens(this WebApplication app)
    {
        // As UseAuthentication does, or WebApplication would put the middleware in front of everything by itself.
        ((IApplicationBuilder)app).Properties["__AuthenticationMiddlewareSet"] = true;
        app.UseWhen(
            static context => AccessTokenEvents.ReadToken(context.Request) is not null,
            static branch => branch.UseAuthentication());
        return app;
    }

    /// <summary>
    /// Lets in who may go where. Endpoints that are open to all don't pass the middleware, which would look for their policy anew
    /// with every request.
    /// </summary>
    public static WebApplication UseAccessRules(this WebApplication app)
    {
        ((IApplicationBuilder)app).Properties["__AuthorizationMiddlewareSet"] = true; // as above
        app.UseWhen(
            static context => context.GetEndpoint()?.Metadata is { } said && (said.GetMetadata<IAuthorizeData>() is not null
                || said.GetMetadata<AuthorizationPolicy>() is not null || said.GetMetadata<IAuthorizationRequirementData>() is not null),
            static branch => branch.UseAuthorization());
        return app;
    }
}

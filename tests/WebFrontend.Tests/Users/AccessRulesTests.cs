using System.Net;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Authorization.Infrastructure;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace WebFrontend.Tests.Users;

/// <summary>Endpoints open to all don't pass the authorization middleware, so each way of saying otherwise has to be seen.</summary>
public sealed class AccessRulesTests
{
    [Fact]
    public async Task Every_way_to_say_who_may_come_in_keeps_others_out()
    {
        await using var app = await MarketplaceApp.StartAsync(app =>
        {
            app.MapGet("/open", Answer);
            app.MapGet("/required", Answer).RequireAuthorization();
            app.MapGet("/attribute", [Authorize] () => Results.Text("in"));
            app.MapGet("/policy", Answer).WithMetadata(new AuthorizationPolicyBuilder().RequireAuthenticatedUser().Build());
            app.MapGet("/requirement", Answer).WithMetadata(new KnownUserAttribute());
        });
        using var user = app.ClientOf(await app.RegisterAndLoginAsync("rules@example.org"));

        Assert.Equal(HttpStatusCode.OK, await StatusAsync(app.Client, "/open"));
        foreach (var path in new[] { "/required", "/attribute", "/policy", "/requirement" })
        {
            Assert.Equal((path, HttpStatusCode.Unauthorized), (path, await StatusAsync(app.Client, path)));
            Assert.Equal((path, HttpStatusCode.OK), (path, await StatusAsync(user, path)));
        }
    }

    private static IResult Answer() => Results.Text("in");

    private static async Task<HttpStatusCode> StatusAsync(HttpClient client, string path)
    {
        using var answer = await client.GetAsync(path);
        return answer.StatusCode;
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class KnownUserAttribute : Attribute, IAuthorizationRequirementData
    {
        public IEnumerable<IAuthorizationRequirement> GetRequirements() => [new DenyAnonymousAuthorizationRequirement()];
    }
}

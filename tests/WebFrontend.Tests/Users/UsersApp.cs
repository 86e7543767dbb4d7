using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace WebFrontend.Tests.Users;

/// <summary>One service for the tests of a class.</summary>
public sealed class UsersApp : IAsyncLifetime
{
    public MarketplaceApp App { get; private set; } = null!;

    public async ValueTask InitializeAsync() => App = await MarketplaceApp.StartAsync(("Users:Operators:0", "operator@example.com"));

    public ValueTask DisposeAsync() => App.DisposeAsync();

    /// <summary>Checks that an answer is a problem of that status and returns its type's last segment.</summary>
    public static async Task<string> ProblemTypeOf(HttpResponseMessage answer, int status)
    {
        using (answer)
        {
            Assert.Equal(status, (int)answer.StatusCode);
            Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
            var problem = (await answer.Content.ReadFromJsonAsync<JsonObject>())!;
            Assert.NotNull(problem["traceId"]);
            if (status == 401)
            {
                Assert.Equal("Bearer", answer.Headers.WwwAuthenticate.Single().Scheme);
            }

            return ((string)problem["type"]!).Split('/')[^1];
        }
    }
}

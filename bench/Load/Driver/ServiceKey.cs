using System.Net.Http.Headers;
using Marketplace.Hosting;
using Npgsql;

namespace Marketplace.Bench.Load.Driver;

/// <summary>The key that a cluster of one's own signs access tokens with, as its silos find it in its database.</summary>
internal static class ServiceKey
{
    private const string Query =
        "SELECT id, private_key FROM signing_keys WHERE signs_from <= now() AND signs_until > now() ORDER BY signs_from DESC LIMIT 1";

    /// <param name="connectionString">Of the service's PostgreSQL.</param>
    /// <param name="frontend">Any frontend.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="StartupException">There is no key.</exception>
    public static async Task<TokenKey> ReadAsync(string connectionString, Uri frontend, CancellationToken cancellationToken)
    {
        await AskForOneAsync(frontend, cancellationToken);
        await using var source = NpgsqlDataSource.Create(connectionString);
        await using var command = source.CreateCommand(Query);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken)
            ? new(reader.GetString(0), reader.GetFieldValue<byte[]>(1))
            : throw new StartupException("The service has no key to sign access tokens with.");
    }

    /// <summary>A cluster makes its first key when somebody shows it a token, be it one that nobody signed.</summary>
    private static async Task AskForOneAsync(Uri frontend, CancellationToken cancellationToken)
    {
        using var mint = new AccessTokenMint(TokenKey.New());
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(frontend, "/api/v1/users/me"))
        {
            Headers = { Authorization = new AuthenticationHeaderValue("Bearer", mint.Mint(0)) },
        };
        using var answer = await http.SendAsync(request, cancellationToken);
    }
}

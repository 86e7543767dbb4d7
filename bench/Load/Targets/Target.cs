using System.Net;
using Marketplace.Cluster;
using Marketplace.Hosting;

namespace Marketplace.Bench.Load.Targets;

/// <summary>A service under measurement.</summary>
/// <param name="name">As the report calls it.</param>
/// <param name="servers">The processes that serve clients; requests go to the first one.</param>
internal sealed class Target(string name, IReadOnlyList<ManagedProcess> servers)
{
    private static readonly HttpClient Http = new();

    public string Name => name;

    /// <summary>What is asked for: the endpoint that does nothing but be limited.</summary>
    public Uri Ping { get; } = new(servers[0].Address, "/api/v1/ping");

    /// <summary>The marketplace's own cluster; null for a peer.</summary>
    public LocalCluster? Cluster { get; init; }

    public IReadOnlyList<ManagedProcess> Servers => servers;

    /// <summary>Where clients connect to.</summary>
    public IReadOnlyList<Uri> Addresses { get; } = [.. servers.Select(server => server.Address)];

    /// <summary>Makes sure that two services send the same to a client: the same headers, and bodies of a length.</summary>
    /// <param name="other">The one to be compared with.</param>
    /// <param name="client">The client's address.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task CheckAnswersLikeAsync(Target other, string client, CancellationToken cancellationToken)
    {
        var (mine, theirs) = (await ShapeAsync(this), await ShapeAsync(other));
        if (mine != theirs)
        {
            throw new StartupException($"{Name} answers otherwise than {other.Name}: '{mine}' where '{theirs}' was expected.");
        }

        async Task<string> ShapeAsync(Target target)
        {
            using var answer = await target.AskAsync(client, cancellationToken);
            var headers = answer.Headers.Concat(answer.Content.Headers)
                .Select(header => $"{header.Key} ({string.Join(',', header.Value).Length})").Order(StringComparer.Ordinal);
            return $"{(int)answer.StatusCode} {string.Join(' ', headers)}, {(await answer.Content.ReadAsByteArrayAsync(cancellationToken)).Length} bytes";
        }
    }

    /// <summary>Makes sure that what is about to be measured is what the report says: one that errs is fast, too.</summary>
    /// <param name="status">The answer must have this status.</param>
    /// <param name="mediaType">… and this content type; null for an empty body.</param>
    /// <param name="client">The client's address.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task CheckAsync(HttpStatusCode status, string? mediaType, string client, CancellationToken cancellationToken)
    {
        using var answer = await AskAsync(client, cancellationToken);
        var body = await answer.Content.ReadAsStringAsync(cancellationToken);
        if (answer.StatusCode != status
            || answer.Content.Headers.ContentType?.MediaType != mediaType
            || (status == HttpStatusCode.OK && body != "pong"))
        {
            throw new StartupException(
                $"{Name} answered {(int)answer.StatusCode} {answer.Content.Headers.ContentType} '{body}' where {(int)status} {mediaType} was expected.");
        }
    }

    private async Task<HttpResponseMessage> AskAsync(string client, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, Ping) { Headers = { { "X-Forwarded-For", client } } };
        return await Http.SendAsync(request, cancellationToken);
    }
}

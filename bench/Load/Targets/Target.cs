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

    /// <summary>Makes sure that what is about to be measured is what the report says: one that errs is fast, too.</summary>
    /// <param name="status">The answer must have this status.</param>
    /// <param name="mediaType">… and this content type; null for an empty body.</param>
    /// <param name="client">The client's address.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task CheckAsync(HttpStatusCode status, string? mediaType, string client, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, Ping) { Headers = { { "X-Forwarded-For", client } } };
        using var answer = await Http.SendAsync(request, cancellationToken);
        var body = await answer.Content.ReadAsStringAsync(cancellationToken);
        if (answer.StatusCode != status
            || answer.Content.Headers.ContentType?.MediaType != mediaType
            || (status == HttpStatusCode.OK && body != "pong"))
        {
            throw new StartupException(
                $"{Name} answered {(int)answer.StatusCode} {answer.Content.Headers.ContentType} '{body}' where {(int)status} {mediaType} was expected.");
        }
    }
}

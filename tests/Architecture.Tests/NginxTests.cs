using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Mvc;

namespace Architecture.Tests;

/// <summary>What <c>deploy/nginx/marketplace.conf</c> promises besides passing requests on.</summary>
public sealed partial class NginxTests
{
    private static readonly string Site = File.ReadAllText(Path.Combine(Repository.Root, "deploy", "nginx", "marketplace.conf"));

    /// <summary>WebSockets and server-sent events of browsers carry the access token in the query.</summary>
    [Fact]
    public void No_access_token_of_a_live_connection_lands_in_a_log()
    {
        var locations = Location().Matches(Site).ToDictionary(
            location => location.Groups["path"].Value, location => location.Groups["body"].Value);

        Assert.Contains("access_log off;", locations["/hubs/"], StringComparison.Ordinal);
        Assert.Contains("error_log stderr crit;", locations["/hubs/"], StringComparison.Ordinal);

        // A request is logged where it ended, and that is elsewhere when nginx itself must answer: there without its query.
        var fields = LogFormat().Match(Site).Groups["fields"].Value;
        Assert.Contains("$request_id", fields, StringComparison.Ordinal);
        Assert.DoesNotMatch(@"\$(request|request_uri|args|arg_\w+|query_string|is_args|http_\w+)\b", fields);
        Assert.All(AccessLog().Matches(Site), log => Assert.Equal("marketplace", log.Groups["format"].Value));
    }

    [Fact]
    public void What_nginx_answers_itself_has_the_type_that_a_frontend_gives_that_status_and_a_trace_id()
    {
        var typeOf = Assembly.Load("Marketplace.WebFrontend").GetType("Marketplace.WebFrontend.Hosting.ProblemTypes")!.GetMethod("UriOf")!;
        var answers = Answer().Matches(Site).ToDictionary(
            answer => int.Parse(answer.Groups["status"].Value, null), answer => JsonNode.Parse(answer.Groups["body"].Value)!);
        Assert.Equal([413, 503], answers.Keys.Order());

        foreach (var (status, answer) in answers)
        {
            Assert.Equal((string?)typeOf.Invoke(null, [new ProblemDetails { Status = status }]), (string?)answer["type"]);
            Assert.Equal(status, (int?)answer["status"]);
            Assert.Equal("$request_id", (string?)answer["traceId"]);
        }
    }

    /// <summary>Debian brings a site that answers for every name that nobody else claims.</summary>
    [Fact]
    public void The_site_answers_for_names_that_no_other_site_claims() =>
        Assert.Contains("    listen 80 default_server; # generated: listen\n", Site, StringComparison.Ordinal);

    [GeneratedRegex(@"log_format marketplace (?<fields>[^;]*);")]
    private static partial Regex LogFormat();

    [GeneratedRegex(@"access_log /\S+ ?(?<format>\w*)")]
    private static partial Regex AccessLog();

    [GeneratedRegex(@"location (?<path>\S+) \{(?<body>[^}]*)\}")]
    private static partial Regex Location();

    [GeneratedRegex(@"return (?<status>\d{3}) '(?<body>\{[^']*\})';")]
    private static partial Regex Answer();
}

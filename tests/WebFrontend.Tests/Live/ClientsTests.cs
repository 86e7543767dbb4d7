using System.Diagnostics;
using System.Text.Json;
using Marketplace.Client;

namespace WebFrontend.Tests.Live;

/// <summary>Both clients against the real hub, over connections that are cut again and again.</summary>
public sealed class ClientsTests
{
    private const int Each = 100;
    private const int CutAfter = 10;
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(90);

    [Fact]
    public async Task Both_clients_get_all_that_both_said_once_and_in_one_order_whatever_is_cut()
    {
        var script = Path.Combine(RepositoryRoot(), "clients", "js", "test", "talk.js");
        Assert.SkipUnless(
            Directory.Exists(Path.Combine(RepositoryRoot(), "clients", "js", "node_modules")), "make test installs the JavaScript client");
        await using var app = await MarketplaceApp.StartAsync(("Limits:HubCallsPerSecond", "10000"));
        await using var proxy = new CuttableProxy(app.Client.BaseAddress!);
        var (ada, ben) = (await app.RegisterAndLoginAsync("ada@example.com"), await app.RegisterAndLoginAsync("ben@example.com"));
        using var limit = new CancellationTokenSource(Deadline, TimeProvider.System);

        var java = TalkAsync(script, proxy.Address, ben.AccessToken, limit.Token);
        await using var live = new LiveConnection(new()
        {
            Urls = [new(proxy.Address, "/hubs/live")],
            AccessToken = (_, _) => Task.FromResult<string?>(ada.AccessToken),
            RetryFirst = TimeSpan.FromMilliseconds(20),
            RetryMax = TimeSpan.FromMilliseconds(200),
            PendingSendsMax = Each,
        });
        var lobby = live.Follow("room/lobby", LiveStamp.Beginning("room/lobby"));
        var reading = ReadAsync(lobby, proxy, limit.Token);
        await live.StartAsync(limit.Token);
        var stamps = await Task.WhenAll(Enumerable.Range(1, Each).Select(i => lobby.SendAsync($"c{i}", cancellationToken: limit.Token)));

        var heard = await reading;
        Assert.Equal(heard, await java);
        Assert.Equal(Enumerable.Range(1, Each).Select(i => $"c{i}"), heard.Where(text => text[0] == 'c'));
        Assert.Equal(Enumerable.Range(1, Each).Select(i => $"j{i}"), heard.Where(text => text[0] == 'j'));
        Assert.Equal(stamps.OrderBy(stamp => stamp.Number), stamps);
        Assert.True(proxy.Cuts > 10, $"{proxy.Cuts} connections were cut");
    }

    [Fact]
    public async Task Who_gets_new_tokens_follows_on_when_one_has_ended()
    {
        await using var app = await MarketplaceApp.StartAsync(("Users:AccessTokenLifetime", "00:00:05"));
        var user = await app.RegisterAndLoginAsync("lasts@example.com");
        var tokens = 0;
        await using var live = new LiveConnection(new()
        {
            Urls = [new(app.Client.BaseAddress!, "/hubs/live")],
            AccessToken = async (_, _) =>
            {
                tokens++;
                return (await app.LoginAsync(user.Email)).AccessToken;
            },
        });
        using var limit = new CancellationTokenSource(Deadline, TimeProvider.System);
        var lobby = live.Follow("room/lobby", LiveStamp.Beginning("room/lobby"));
        var reading = ReadAsync(lobby, 20, limit.Token);
        await live.StartAsync(limit.Token);

        for (var i = 1; i <= 20; i++)
        {
            await lobby.SendAsync($"m{i}", cancellationToken: limit.Token);
            await Task.Delay(TimeSpan.FromMilliseconds(600), TimeProvider.System, limit.Token);
        }

        Assert.Equal(Enumerable.Range(1, 20).Select(i => $"m{i}"), await reading);
        Assert.True(tokens > 1, $"{tokens} token was asked for");
    }

    private static async Task<IReadOnlyList<string>> ReadAsync(LiveChannel channel, int count, CancellationToken cancellationToken)
    {
        var texts = new List<string>();
        await foreach (var e in channel.WithCancellation(cancellationToken))
        {
            texts.Add(e is LiveChat chat ? chat.Message.Text : e.GetType().Name);
            if (texts.Count == count)
            {
                break;
            }
        }

        return texts;
    }

    /// <summary>Cuts whenever it has heard some more: by progress and not by time, so that a slow machine gets anywhere.</summary>
    private static async Task<IReadOnlyList<string>> ReadAsync(LiveChannel channel, CuttableProxy proxy, CancellationToken cancellationToken)
    {
        var texts = new List<string>();
        await foreach (var e in channel.WithCancellation(cancellationToken))
        {
            texts.Add(e is LiveChat chat ? chat.Message.Text : e.GetType().Name);
            if (texts.Count == 2 * Each)
            {
                break;
            }

            if (texts.Count % CutAfter == 0)
            {
                proxy.Cut();
            }
        }

        return texts;
    }

    /// <summary>Lets the JavaScript client say its part, and returns what it heard.</summary>
    private static async Task<IReadOnlyList<string>> TalkAsync(string script, Uri server, string token, CancellationToken cancellationToken)
    {
        using var node = Process.Start(new ProcessStartInfo("node", [script, new Uri(server, "/hubs/live").ToString(), $"{Each}", $"{2 * Each}"])
        {
            RedirectStandardOutput = true,
            Environment = { ["ACCESS"] = token },
        })!;
        try
        {
            return JsonSerializer.Deserialize<string[]>(await node.StandardOutput.ReadToEndAsync(cancellationToken))!;
        }
        finally
        {
            node.Kill();
        }
    }

    private static string RepositoryRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Marketplace.sln")))
        {
            folder = Path.GetDirectoryName(folder)!;
        }

        return folder;
    }
}

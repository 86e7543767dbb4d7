using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Marketplace.Testing;

namespace WebFrontend.Tests.Mail;

public sealed class SmtpTests
{
    [Fact]
    public async Task Mail_leaves_by_smtp_with_a_message_id_of_its_own_and_is_forgotten()
    {
        using var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start();
        var received = ReceiveAsync(server);
        var port = ((IPEndPoint)server.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);
        await using var app = await MarketplaceApp.StartAsync(
            ("Mail:SmtpHost", "127.0.0.1"), ("Mail:SmtpPort", port), ("Mail:SmtpTls", "None"), ("Mail:From", "Us <us@example.com>"));
        await app.RegisterAsync("smtp@example.com");

        var mail = await received.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System);
        Assert.Contains("RCPT TO:<smtp@example.com>", mail, StringComparison.Ordinal);
        Assert.Contains("/verify-email#token=", mail, StringComparison.Ordinal);
        Assert.Matches("Message-Id: <[0-9a-f]{32}@example.com>", mail);
        await UntilAsync(async () => await app.CountAsync("mail_outbox") == 0);
    }

    [Fact]
    public async Task Mail_that_cannot_be_sent_is_parked_after_the_last_attempt()
    {
        var port = TestPorts.Pick().ToString(CultureInfo.InvariantCulture);
        await using var app = await MarketplaceApp.StartAsync(
            ("Mail:SmtpHost", "127.0.0.1"), ("Mail:SmtpPort", port), ("Mail:MaxAttempts", "1"));
        await app.RegisterAsync("parked@example.com");
        await UntilAsync(async () => await app.CountAsync("mail_outbox", "parked_at IS NOT NULL AND attempts = 1") == 1);
    }

    [Fact]
    public async Task A_mail_that_was_being_sent_to_a_user_who_went_is_not_tried_again()
    {
        using var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start();
        var port = ((IPEndPoint)server.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);
        await using var app = await MarketplaceApp.StartAsync(("Mail:SmtpHost", "127.0.0.1"), ("Mail:SmtpPort", port), ("Mail:SmtpTls", "None"));
        await app.RegisterAsync("gone@example.com");
        using (await server.AcceptTcpClientAsync(TestContext.Current.CancellationToken))
        {
            await using var delete = app.Database.CreateCommand("DELETE FROM users");
            Assert.Equal(1, await delete.ExecuteNonQueryAsync(TestContext.Current.CancellationToken));
        } // which ends the attempt

        await UntilAsync(async () => await app.CountAsync("mail_outbox") == 0);
    }

    /// <summary>As much of a server as one mail needs; returns all that the client said.</summary>
    private static async Task<string> ReceiveAsync(TcpListener server)
    {
        using var client = await server.AcceptTcpClientAsync();
        using var reader = new StreamReader(client.GetStream(), Encoding.UTF8);
        await using var writer = new StreamWriter(client.GetStream(), Encoding.ASCII) { AutoFlush = true, NewLine = "\r\n" };
        var said = new StringBuilder();
        var inData = false;
        await writer.WriteLineAsync("220 test");
        while (await reader.ReadLineAsync() is { } line)
        {
            said.AppendLine(line);
            var answer = (inData, line) switch
            {
                (true, ".") => "250 taken",
                (true, _) => null,
                (_, "DATA") => "354 go on",
                (_, "QUIT") => "221 bye",
                _ => "250 ok",
            };
            inData = line == "DATA" || (inData && line != ".");
            if (answer is not null)
            {
                await writer.WriteLineAsync(answer);
            }

            if (line == "QUIT")
            {
                break;
            }
        }

        return said.ToString();
    }

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        var clock = TimeProvider.System;
        for (var startedAt = clock.GetTimestamp(); !await condition(); await Task.Delay(TimeSpan.FromMilliseconds(50), clock))
        {
            Assert.True(clock.GetElapsedTime(startedAt) < TimeSpan.FromSeconds(20), "it didn't come to pass");
        }
    }
}

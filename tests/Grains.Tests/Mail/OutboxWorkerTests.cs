using Marketplace.Grains.Mail;
using Marketplace.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using MimeKit;
using Npgsql;

namespace Grains.Tests.Mail;

public sealed class OutboxWorkerTests : IAsyncLifetime
{
    private NpgsqlDataSource _database = null!;

    public async ValueTask InitializeAsync() => _database = await TestDatabase.CreateAsync();

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    /// <summary>A mail whose failure can't be noted would be taken again and again, and no other ever.</summary>
    [Fact]
    public async Task A_failure_is_noted_whatever_its_words()
    {
        await FailWithAsync("nul\0, half \ud83d");

        Assert.Equal("IOException: nul , half \ufffd", await LastErrorAsync());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task A_failure_of_many_words_is_noted_wherever_it_is_cut(int before)
    {
        await FailWithAsync(new string('a', before) + string.Concat(Enumerable.Repeat("\U0001f4ec", 300)));

        Assert.Equal(500, (await LastErrorAsync()).Length);
    }

    private async Task FailWithAsync(string words)
    {
        var clock = TimeProvider.System;
        var outbox = new Outbox(clock);
        await using (var connection = await _database.OpenConnectionAsync())
        {
            await outbox.AddAsync(connection, new(null, "somebody@example.com", "", ""));
        }

        using var worker = new OutboxWorker(
            _database, outbox, new BrokenTransport(words), Options.Create(new MailSettings()), clock, NullLogger<OutboxWorker>.Instance);
        await worker.StartAsync(default);
        for (var startedAt = clock.GetTimestamp(); await LastErrorAsync() == "not tried"; await Task.Delay(TimeSpan.FromMilliseconds(20), clock))
        {
            Assert.True(clock.GetElapsedTime(startedAt) < TimeSpan.FromSeconds(5), "the failure wasn't noted");
        }

        await worker.StopAsync(default);
    }

    private async Task<string> LastErrorAsync()
    {
        await using var command = _database.CreateCommand("SELECT coalesce(last_error, 'not tried') FROM mail_outbox");
        return (string)(await command.ExecuteScalarAsync())!;
    }

    private sealed class BrokenTransport(string words) : IMailTransport
    {
        public Task SendAsync(MimeMessage mail, CancellationToken cancellationToken) => throw new IOException(words);

        public Task RestAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

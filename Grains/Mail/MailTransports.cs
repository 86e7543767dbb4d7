using MailKit.Net.Smtp;
using MailKit.Security;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using MimeKit;

namespace Marketplace.Grains.Mail;

/// <summary>Hands a mail over. Used by one caller at a time.</summary>
internal interface IMailTransport
{
    /// <summary>Returns once somebody else is responsible for the mail; throws otherwise.</summary>
    Task SendAsync(MimeMessage mail, CancellationToken cancellationToken);

    /// <summary>There is no more mail for the moment.</summary>
    Task RestAsync(CancellationToken cancellationToken);
}

/// <summary>Sends by SMTP; one connection serves all mail that is due.</summary>
internal sealed class SmtpTransport(IOptions<MailSettings> settings) : IMailTransport, IDisposable
{
    private SmtpClient? _client;

    public async Task SendAsync(MimeMessage mail, CancellationToken cancellationToken)
    {
        try
        {
            _client ??= await ConnectAsync(cancellationToken);
            await _client.SendAsync(mail, cancellationToken);
        }
        catch
        {
            Dispose(); // in which state the conversation is, nobody knows
            throw;
        }
    }

    public async Task RestAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (_client is { IsConnected: true })
            {
                await _client.DisconnectAsync(quit: true, cancellationToken);
            }
        }
        catch (IOException)
        {
            // it was gone already
        }
        finally
        {
            Dispose();
        }
    }

    public void Dispose()
    {
        _client?.Dispose();
        _client = null;
    }

    private async Task<SmtpClient> ConnectAsync(CancellationToken cancellationToken)
    {
        var client = new SmtpClient { Timeout = (int)settings.Value.SendTimeout.TotalMilliseconds };
        try
        {
            await client.ConnectAsync(settings.Value.SmtpHost, settings.Value.SmtpPort, settings.Value.SmtpTls switch
            {
                SmtpTls.Implicit => SecureSocketOptions.SslOnConnect,
                SmtpTls.StartTls => SecureSocketOptions.StartTls,
                _ => SecureSocketOptions.None,
            }, cancellationToken);
            if (settings.Value.SmtpUser.Length > 0)
            {
                await client.AuthenticateAsync(settings.Value.SmtpUser, settings.Value.SmtpPassword, cancellationToken);
            }

            return client;
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }
}

/// <summary>Without an SMTP server: a file a mail. One that is sent again takes its own file's place.</summary>
internal sealed partial class DirectoryTransport(IOptions<MailSettings> settings, ILogger<DirectoryTransport> logger) : IMailTransport
{
    public async Task SendAsync(MimeMessage mail, CancellationToken cancellationToken)
    {
        var directory = Directory.CreateDirectory(Path.GetFullPath(settings.Value.Directory));
        var path = Path.Combine(directory.FullName, $"{mail.Date.UtcDateTime:yyyyMMdd'T'HHmmss'Z'}-{mail.MessageId?.Split('@')[0]}.eml");
        var unfinished = path + ".tmp";
        await mail.WriteToAsync(unfinished, cancellationToken);
        File.Move(unfinished, path, overwrite: true);
        LogWritten(mail.Subject ?? "", path);
    }

    public Task RestAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(LogLevel.Information, "Mail \"{Subject}\" is in {Path}")]
    private partial void LogWritten(string subject, string path);
}

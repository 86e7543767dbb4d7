using Marketplace.Hosting.Settings;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Marketplace.Grains.Mail;

public static class MailSiloBuilderExtensions
{
    /// <summary>The mail outbox and the worker that empties it. Needs the process's database. Idempotent.</summary>
    public static ISiloBuilder AddMail(this ISiloBuilder silo)
    {
        silo.Services.AddSettings<MailSettings>(MailSettings.Section);
        silo.Services.TryAddSingleton<Outbox>();
        silo.Services.TryAddSingleton<IMailTransport>(provider =>
            provider.GetRequiredService<IOptions<MailSettings>>().Value.SmtpHost.Length > 0
                ? ActivatorUtilities.CreateInstance<SmtpTransport>(provider)
                : ActivatorUtilities.CreateInstance<DirectoryTransport>(provider));
        silo.Services.AddHostedService<OutboxWorker>();
        return silo;
    }
}

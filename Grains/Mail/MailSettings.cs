using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using MimeKit;

namespace Marketplace.Grains.Mail;

/// <summary>How the connection to the SMTP server is protected.</summary>
public enum SmtpTls
{
    /// <summary>Not at all: for a server on the same host.</summary>
    None,

    /// <summary>Starts in the clear and must change to TLS before anything is said.</summary>
    StartTls,

    /// <summary>TLS from the first byte.</summary>
    Implicit,
}

/// <summary>The section <c>Mail</c>: how mail leaves. Silos read it.</summary>
public sealed class MailSettings : IValidatableObject
{
    public const string Section = "Mail";

    [Description("SMTP server; empty means that mails are written into Directory as .eml files.")]
    [StringLength(255)]
    public string SmtpHost { get; set; } = "";

    [Description("Port of the SMTP server.")]
    [Range(1, 65535)]
    public int SmtpPort { get; set; } = 587;

    [Description("None, StartTls or Implicit.")]
    [EnumDataType(typeof(SmtpTls), ErrorMessage = "it must be None, StartTls or Implicit")]
    public SmtpTls SmtpTls { get; set; } = SmtpTls.StartTls;

    [Description("User at the SMTP server; empty means that it asks for none.")]
    public string SmtpUser { get; set; } = "";

    [Description("Password at the SMTP server.")]
    public string SmtpPassword { get; set; } = "";

    [Description("Sender, e.g. Interview marketplace <no-reply@example.com>.")]
    [Required]
    public string From { get; set; } = "Interview marketplace <no-reply@marketplace.invalid>";

    [Description("Where .eml files go while SmtpHost is empty; relative to the current directory.")]
    [Required]
    public string Directory { get; set; } = ".data/mail";

    [Description("The address at which users reach the service; links in mails start with it.")]
    [Required]
    public string PublicUrl { get; set; } = "http://127.0.0.1:5000";

    [Description("How long one mail may take to be handed over.")]
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan SendTimeout { get; set; } = TimeSpan.FromSeconds(30);

    [Description("Attempts at a mail before it is parked in mail_outbox for the operator to look at; 24 take 27 hours.")]
    [Range(1, 100)]
    public int MaxAttempts { get; set; } = 24;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!MailboxAddress.TryParse(From, out _))
        {
            yield return new($"From is '{From}'; it must be an address such as Interview marketplace <no-reply@example.com>.");
        }

        if (!Uri.TryCreate(PublicUrl, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
        {
            yield return new($"PublicUrl is '{PublicUrl}'; it must be an absolute address such as https://interviews.example.com.");
        }
    }
}

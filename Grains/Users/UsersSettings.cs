using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Marketplace.Users;

namespace Marketplace.Grains.Users;

/// <summary>The section <c>Users</c>: accounts, passwords, sessions and access tokens. Silos read it.</summary>
public sealed class UsersSettings : IValidatableObject
{
    public const string Section = "Users";

    [Description("E-mail addresses whose verified owners are operators.")]
    public IList<string> Operators { get; set; } = [];

    [Description("Whether the email check says if an address is registered. Anybody may ask it.")]
    public bool DiscloseRegistered { get; set; }

    [Description("Rounds of PBKDF2-SHA512 for a password. A hash with fewer is renewed at its owner's next login.")]
    [Range(1_000, 10_000_000)]
    public int PasswordIterations { get; set; } = 220_000;

    [Description("Passwords that may wait for a core of this silo; more are answered with 503. A core hashes about ten a second.")]
    [Range(0, 10_000)]
    public int MaxWaitingPasswords { get; set; } = 100;

    [Description("How long a password waits for a core before it is answered with 503; well below Cluster:ResponseTimeout.")]
    [Range(typeof(TimeSpan), "00:00:00.1", "00:00:20")]
    public TimeSpan MaxPasswordWait { get; set; } = TimeSpan.FromSeconds(4);

    [Description("How long an access token lasts. It can't be taken back earlier.")]
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan AccessTokenLifetime { get; set; } = TimeSpan.FromMinutes(10);

    [Description("How long a key signs access tokens before the next one takes over.")]
    [Range(typeof(TimeSpan), "02:00:00", "365.00:00:00")]
    public TimeSpan SigningKeyLifetime { get; set; } = TimeSpan.FromDays(30);

    [Description("How long a session lasts after its login, however often it is refreshed.")]
    [Range(typeof(TimeSpan), "00:01:00", "365.00:00:00")]
    public TimeSpan SessionLifetime { get; set; } = TimeSpan.FromDays(30);

    [Description("Sessions a user may have; one more ends the oldest.")]
    [Range(1, 1000)]
    public int MaxSessions { get; set; } = 50;

    [Description("How long a used refresh token is still answered, for a client that lost the first answer.")]
    [Range(typeof(TimeSpan), "00:00:00", "00:01:00")]
    public TimeSpan RefreshGrace { get; set; } = TimeSpan.FromSeconds(30);

    [Description("How long a verification link lasts.")]
    [Range(typeof(TimeSpan), "00:01:00", "30.00:00:00")]
    public TimeSpan VerificationLifetime { get; set; } = TimeSpan.FromHours(24);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        Operators.Where(address => !EmailAddress.TryParse(address, out _))
            .Select(address => new ValidationResult($"Operators holds '{address}'; it must be an e-mail address."));
}

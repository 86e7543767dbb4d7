using System.Globalization;
using Marketplace.Grains.Mail;
using Microsoft.Extensions.Options;

namespace Marketplace.Grains.Users;

/// <summary>What is written to users.</summary>
internal sealed class UserMails(IOptions<MailSettings> mail, IOptions<UsersSettings> users)
{
    /// <summary>The link that ends a registration. The token is in the fragment, which no server's log gets to see.</summary>
    public OutboxMail Verification(Guid userId, string email, OpaqueToken token) => new(userId, email, "Confirm your address",
        $$"""
        Welcome! Open this link to confirm your address and end your registration:

        {{BaseUrl}}/verify-email#token={{token.Text.Value}}

        It is good for {{Words(users.Value.VerificationLifetime)}}. The token in it is

        {{token.Text.Value}}

        and can also be sent by hand:

        curl -i {{BaseUrl}}/api/v1/auth/verify-email --json '{"token":"{{token.Text.Value}}"}'

        If it wasn't you who registered, open nothing: nobody can use your address without this mail.

        """);

    /// <summary>What comes instead when there is an account. It says no more than the owner of the address knows.</summary>
    public OutboxMail AlreadyRegistered(Guid userId, string email) => new(userId, email, "You already have an account",
        $"""
        Somebody, probably you, tried to register this address at {BaseUrl}, where it has an account
        already. Nothing was changed: sign in with the password that you have.

        If it wasn't you, there is nothing to do.

        """);

    private string BaseUrl => mail.Value.PublicUrl.TrimEnd('/');

    private static string Words(TimeSpan lifetime) => lifetime.TotalHours >= 2
        ? string.Create(CultureInfo.InvariantCulture, $"{lifetime.TotalHours:0.#} hours")
        : string.Create(CultureInfo.InvariantCulture, $"{lifetime.TotalMinutes:0.#} minutes");
}

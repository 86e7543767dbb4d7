using Marketplace.Users;
using Marketplace.WebFrontend.Hosting;

namespace Marketplace.WebFrontend.Users;

/// <summary>What the fields of accounts may be. Each check notes what is wrong and returns the value as it is to be used.</summary>
internal static class FieldChecks
{
    public static string Email(this FieldErrors errors, string field, string? value)
    {
        if (EmailAddress.TryParse(value, out var email))
        {
            return email.Given;
        }

        errors.Add(field, value is null ? "An e-mail address is required."
            : $"This is not an e-mail address such as name@example.com, at most {EmailAddress.MaxLength} characters long.");
        return "";
    }

    public static Secret NewPassword(this FieldErrors errors, string field, string? value)
    {
        if (value is null || !PasswordPolicy.Allows(value))
        {
            errors.Add(field, $"A password of {PasswordPolicy.MinLength} to {PasswordPolicy.MaxLength} characters, none of them a control character, is required.");
        }

        return new(value ?? "");
    }

    public static Secret Password(this FieldErrors errors, string field, string? value)
    {
        if (value is null || !PasswordPolicy.IsPossible(value))
        {
            errors.Add(field, $"A password of at most {PasswordPolicy.MaxLength} characters, none of them a control character, is required.");
        }

        return new(value ?? "");
    }

    public static Secret Token(this FieldErrors errors, string field, string? value)
    {
        const int MaxLength = 512; // far beyond any token of ours
        if (string.IsNullOrEmpty(value) || value.Length > MaxLength)
        {
            errors.Add(field, "A token is required.");
        }

        return new(value ?? "");
    }

    public static string DisplayName(this FieldErrors errors, string field, string value)
    {
        const int MaxLength = 100;
        var name = value.Trim();
        if (name.Length is 0 or > MaxLength || !PlainText.IsWellFormed(name))
        {
            errors.Add(field, $"A name has 1 to {MaxLength} characters, none of them a control character.");
        }

        return name;
    }

    public static string TimeZone(this FieldErrors errors, string field, string value)
    {
        if (!IanaZones.Contain(value))
        {
            errors.Add(field, "This is not an IANA time zone such as Europe/Berlin or UTC.");
        }

        return value;
    }
}

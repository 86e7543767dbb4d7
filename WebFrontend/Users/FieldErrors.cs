using Marketplace.Users;
using Marketplace.WebFrontend.Hosting;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.WebFrontend.Users;

/// <summary>
/// Collects what is wrong with the fields of a body, so that all of it is told at once; each check returns the value as it
/// is to be used.
/// </summary>
internal sealed class FieldErrors
{
    private readonly Dictionary<string, string[]> _errors = new(StringComparer.Ordinal);

    public bool Any => _errors.Count > 0;

    public void Add(string field, string error) => _errors[field] = [error];

    public string Email(string field, string? value)
    {
        if (EmailAddress.TryParse(value, out var email))
        {
            return email.Given;
        }

        Add(field, value is null ? "An e-mail address is required."
            : $"This is not an e-mail address such as name@example.com, at most {EmailAddress.MaxLength} characters long.");
        return "";
    }

    public Secret NewPassword(string field, string? value)
    {
        if (value is null || !PasswordPolicy.Allows(value))
        {
            Add(field, $"A password of {PasswordPolicy.MinLength} to {PasswordPolicy.MaxLength} characters, none of them a control character, is required.");
        }

        return new(value ?? "");
    }

    public Secret Password(string field, string? value)
    {
        if (value is null || !PasswordPolicy.IsPossible(value))
        {
            Add(field, $"A password of at most {PasswordPolicy.MaxLength} characters, none of them a control character, is required.");
        }

        return new(value ?? "");
    }

    public Secret Token(string field, string? value)
    {
        const int MaxLength = 512; // far beyond any token of ours
        if (string.IsNullOrEmpty(value) || value.Length > MaxLength)
        {
            Add(field, "A token is required.");
        }

        return new(value ?? "");
    }

    public string DisplayName(string field, string value)
    {
        const int MaxLength = 100;
        var name = value.Trim();
        if (name.Length is 0 or > MaxLength || !PlainText.IsWellFormed(name))
        {
            Add(field, $"A name has 1 to {MaxLength} characters, none of them a control character.");
        }

        return name;
    }

    public string TimeZone(string field, string value)
    {
        if (!IanaZones.Contain(value))
        {
            Add(field, "This is not an IANA time zone such as Europe/Berlin or UTC.");
        }

        return value;
    }

    /// <summary>400 with every field's errors.</summary>
    public ProblemHttpResult ToProblem() => TypedResults.Problem(new HttpValidationProblemDetails(_errors)
    {
        Status = StatusCodes.Status400BadRequest,
        Type = ProblemTypes.Uri(ProblemTypes.Validation),
        Title = "Some fields are not valid",
    });
}

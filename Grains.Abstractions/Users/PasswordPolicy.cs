namespace Marketplace.Users;

/// <summary>What a password must be. Length is all that is asked for; rules about kinds of characters make worse passwords.</summary>
public static class PasswordPolicy
{
    public const int MinLength = 12;
    public const int MaxLength = 256;

    /// <summary>Whether an account may have this password.</summary>
    public static bool Allows(string password) =>
        password.Length is >= MinLength and <= MaxLength && PlainText.IsWellFormed(password);

    /// <summary>Whether some account might have this password: anything else needn't be compared, or hashed.</summary>
    public static bool IsPossible(string password) => password.Length <= MaxLength && PlainText.IsWellFormed(password);
}

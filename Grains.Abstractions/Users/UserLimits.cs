using Marketplace.Limits;
using Microsoft.Extensions.DependencyInjection;

namespace Marketplace.Users;

/// <summary>The limits of the account endpoints, by name, with their defaults.</summary>
public static class UserLimits
{
    /// <summary>20 email checks / min / address.</summary>
    public const string EmailCheck = "email-check";

    /// <summary>20 answers / min / e-mail address asked for, whoever asks, where the email check tells who is registered.</summary>
    public const string EmailCheckAccount = "email-check-account";

    /// <summary>20 failed logins / 15 min / address.</summary>
    public const string Login = "login";

    /// <summary>10 failed logins / 15 min / account, whoever tries.</summary>
    public const string LoginAccount = "login-account";

    /// <summary>20 registrations / h / address: each sends a mail to somebody.</summary>
    public const string Register = "register";

    /// <summary>10 registrations / h / e-mail address, whoever registers it.</summary>
    public const string RegisterAccount = "register-account";

    /// <summary>Adds them to a silo or a frontend.</summary>
    public static IServiceCollection AddUserLimits(this IServiceCollection services) => services
        .AddLimitPolicy(EmailCheck, limit: 20, TimeSpan.FromMinutes(1))
        .AddLimitPolicy(EmailCheckAccount, limit: 20, TimeSpan.FromMinutes(1))
        .AddLimitPolicy(Login, limit: 20, TimeSpan.FromMinutes(15))
        .AddLimitPolicy(LoginAccount, limit: 10, TimeSpan.FromMinutes(15))
        .AddLimitPolicy(Register, limit: 20, TimeSpan.FromHours(1))
        .AddLimitPolicy(RegisterAccount, limit: 10, TimeSpan.FromHours(1));
}

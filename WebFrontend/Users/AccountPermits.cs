using System.Security.Cryptography;
using System.Text;
using Marketplace.Users;
using Marketplace.WebFrontend.Limits;
using Marketplace.WebFrontend.Limits.Http;

namespace Marketplace.WebFrontend.Users;

/// <summary>The limits that are counted by what a request's body says: per account, known or not.</summary>
/// <remarks>An account is counted by a hash of what was typed: a refusal tells nothing about who exists.</remarks>
internal sealed class AccountPermits(HttpLimiter limiter)
{
    /// <summary>
    /// Takes a permit per client and one per account, all or none, before the password is checked, so that guesses made at once
    /// can't slip through together. They are to be given back when the login doesn't fail: then it doesn't count.
    /// </summary>
    public ValueTask<BucketLease> TakeForLoginAsync(HttpContext context, string email) =>
        limiter.TakeAsync(context, (UserLimits.Login, null), (UserLimits.LoginAccount, Hash(email)));

    /// <summary>
    /// Takes a permit to mail an address, whoever registers it: many clients must not fill a stranger's mailbox, nor put so
    /// many links beside the owner's that his is dropped. Who spends them all holds up a registration, for as long as he goes on.
    /// </summary>
    public ValueTask<BucketLease> TakeForRegistrationAsync(HttpContext context, string email) =>
        limiter.TakeAsync(context, (UserLimits.RegisterAccount, Hash(email)));

    /// <summary>Takes a permit to tell whether an account exists, whoever asks: many clients must not do what one may not.</summary>
    public ValueTask<BucketLease> TakeForDisclosureAsync(HttpContext context, string email) =>
        limiter.TakeAsync(context, (UserLimits.EmailCheckAccount, Hash(email)));

    private static string Hash(string email) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(
        EmailAddress.TryParse(email, out var address) ? address.Folded : email)));
}

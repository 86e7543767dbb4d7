using System.Security.Cryptography;
using System.Text;
using Marketplace.Limits;
using Marketplace.Users;
using Marketplace.WebFrontend.Limits;
using Marketplace.WebFrontend.Limits.Leases;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Users;

/// <summary>
/// Counts failed logins, per client address and per account. An attempt takes a permit of both before the password is
/// checked, so that guesses made at once can't slip through together, and gets them back when it doesn't fail.
/// </summary>
/// <remarks>The account is counted by a hash of what was typed, known or not: a refusal tells nothing about who exists.</remarks>
internal sealed class LoginAttempts(Partitions partitions, IOptions<LimitsOptions> options)
{
    /// <summary>Begins an attempt, or writes the refusal and returns null.</summary>
    /// <param name="context">The request.</param>
    /// <param name="email">The address as typed.</param>
    public async Task<LoginAttempt?> TryBeginAsync(HttpContext context, string email)
    {
        var attempt = new LoginAttempt();
        if (!options.Value.Enabled)
        {
            return attempt;
        }

        var address = ClientAddress.ToPartition(context.Connection.RemoteIpAddress, options.Value.IPv6PrefixLength);
        foreach (var key in (BucketKey[])[new(UserLimits.Login, address), new(UserLimits.LoginAccount, Hash(email))])
        {
            var lease = (BucketLease)await partitions.Of(key.Policy).Of(key.Partition).AcquireAsync(1, context.RequestAborted);
            if (!lease.IsAcquired)
            {
                attempt.Forgive();
                await LimitsExtensions.WriteRefusalAsync(context, lease);
                return null;
            }

            attempt.Add(lease);
        }

        return attempt;
    }

    private static string Hash(string email) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(
        EmailAddress.TryParse(email, out var address) ? address.Folded : email)));
}

/// <summary>The permits of one attempt.</summary>
internal sealed class LoginAttempt
{
    private readonly List<BucketLease> _taken = new(2);

    public void Add(BucketLease lease) => _taken.Add(lease);

    /// <summary>The attempt didn't fail: it doesn't count.</summary>
    public void Forgive()
    {
        foreach (var lease in _taken)
        {
            lease.GiveBack();
        }
    }
}

using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Marketplace.Trouble;
using Marketplace.Users;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.Options;

namespace Marketplace.Grains.Users;

/// <summary>Whether a password is right, and its hash under the current settings if the stored one is weaker.</summary>
internal readonly record struct PasswordCheck(bool IsRight, string? BetterHash);

/// <summary>
/// PBKDF2-SHA512 on pool threads, not on the grains' scheduler, and on no more of them than there are cores: logins may
/// fill the processor's queue but never everything else's. Beyond <see cref="UsersSettings.MaxWaitingPasswords"/> in line,
/// callers are told to come back; so are those who have waited for <see cref="UsersSettings.MaxPasswordWait"/>, since a
/// password that is hashed for a caller who has given up keeps the next one waiting, and soon nobody is served.
/// </summary>
internal sealed class PasswordHashing : IDisposable
{
    private static readonly object NoUser = new(); // the hasher passes it through and ignores it
    private readonly PasswordHasher<object> _hasher;
    private readonly SemaphoreSlim _cores = new(Environment.ProcessorCount);
    private readonly int _rounds;
    private readonly int _maxPending;
    private readonly TimeSpan _maxWait;
    private readonly string _nobodysHash;
    private int _pending;

    public PasswordHashing(IOptions<UsersSettings> settings)
    {
        _rounds = settings.Value.PasswordIterations;
        _hasher = new(Options.Create(new PasswordHasherOptions { IterationCount = _rounds }));
        _maxPending = Environment.ProcessorCount + settings.Value.MaxWaitingPasswords;
        _maxWait = settings.Value.MaxPasswordWait;
        _nobodysHash = _hasher.HashPassword(NoUser, Guid.NewGuid().ToString());
    }

    /// <exception cref="UnavailableException">Too many wait.</exception>
    public Task<string> HashAsync(Secret password) => RunAsync(() => _hasher.HashPassword(NoUser, password.Value));

    /// <summary>Compares; with no <paramref name="hash"/> it takes as long and the answer is no.</summary>
    /// <exception cref="UnavailableException">Too many wait.</exception>
    public Task<PasswordCheck> CheckAsync(string? hash, Secret password) => RunAsync(() =>
        _hasher.VerifyHashedPassword(NoUser, hash ?? _nobodysHash, password.Value) switch
        {
            _ when hash is null => default,
            PasswordVerificationResult.Success => new PasswordCheck(true, null),
            PasswordVerificationResult.SuccessRehashNeeded => new(true, _hasher.HashPassword(NoUser, password.Value)),
            _ => NoAfterAllRounds(hash, password),
        });

    /// <summary>
    /// The rounds that a hash of <see cref="PasswordHasher{TUser}"/> lacks to those that an unknown address costs now; without
    /// them a wrong password would tell by its time who has an older hash, and so an account.
    /// </summary>
    internal int RoundsMissing(string hash)
    {
        // 0x01, then in four bytes each, the highest first: the function, its rounds, the length of the salt.
        Span<byte> header = stackalloc byte[9];
        return Convert.TryFromBase64Chars(hash.AsSpan(0, Math.Min(12, hash.Length)), header, out var length) && length == header.Length
            ? Math.Max(0, _rounds - BinaryPrimitives.ReadInt32BigEndian(header[5..]))
            : _rounds;
    }

    private PasswordCheck NoAfterAllRounds(string hash, Secret password)
    {
        if (RoundsMissing(hash) is > 0 and var rounds)
        {
            Rfc2898DeriveBytes.Pbkdf2(password.Value, Encoding.UTF8.GetBytes(hash), rounds, HashAlgorithmName.SHA512, outputLength: 32);
        }

        return default;
    }

    public void Dispose() => _cores.Dispose();

    private async Task<T> RunAsync<T>(Func<T> work)
    {
        try
        {
            if (Interlocked.Increment(ref _pending) > _maxPending)
            {
                throw new UnavailableException("Too many passwords wait to be hashed.");
            }

            if (!await _cores.WaitAsync(_maxWait))
            {
                throw new UnavailableException("A password waited too long to be hashed.");
            }

            try
            {
                return await Task.Run(work);
            }
            finally
            {
                _cores.Release();
            }
        }
        finally
        {
            Interlocked.Decrement(ref _pending);
        }
    }
}

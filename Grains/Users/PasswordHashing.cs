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
    private readonly int _maxPending;
    private readonly TimeSpan _maxWait;
    private readonly string _nobodysHash;
    private int _pending;

    public PasswordHashing(IOptions<UsersSettings> settings)
    {
        _hasher = new(Options.Create(new PasswordHasherOptions { IterationCount = settings.Value.PasswordIterations }));
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
            _ => default,
        });

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

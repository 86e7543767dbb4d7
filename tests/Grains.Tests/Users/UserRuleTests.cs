using Marketplace.Grains.Mail;
using Marketplace.Grains.Users;
using Marketplace.Users;
using Microsoft.Extensions.Options;

namespace Grains.Tests.Users;

public sealed class UserRuleTests
{
    private static readonly DateTimeOffset Now = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);

    [Fact]
    public void A_refresh_token_rotates_once_and_is_answered_again_only_within_the_grace()
    {
        var fresh = new StoredRefreshToken(Guid.NewGuid(), FamilyExpiresAt: Now.AddDays(1));
        Assert.Equal(RefreshDecision.Rotate, Decide(fresh));
        Assert.Equal(RefreshDecision.RotateAgain, Decide(fresh with { UsedFor = TimeSpan.FromSeconds(9.9) }));
        Assert.Equal(RefreshDecision.EndFamily, Decide(fresh with { UsedFor = TimeSpan.FromSeconds(10) }));
        Assert.Equal(RefreshDecision.EndFamily, RefreshRule.Decide(fresh with { UsedFor = TimeSpan.Zero }, Now, grace: TimeSpan.Zero));
        Assert.Equal(RefreshDecision.EndFamily, Decide(fresh with { UsedFor = TimeSpan.Zero, IsReplacementUsed = true }));
        Assert.Equal(RefreshDecision.EndFamily, Decide(fresh with { IsRivalUsed = true }));
        Assert.Equal(RefreshDecision.Expired, Decide(fresh with { FamilyExpiresAt = Now }));

        static RefreshDecision Decide(StoredRefreshToken token) => RefreshRule.Decide(token, Now, Grace);
    }

    [Fact]
    public void Signing_keys_follow_one_another_without_a_gap_and_are_known_before_they_sign()
    {
        var lifetime = TimeSpan.FromDays(30);
        var tokens = TimeSpan.FromMinutes(10);
        var keys = new List<KeySchedule>();
        for (var now = Now; now < Now.AddDays(100); now += TimeSpan.FromMinutes(5))
        {
            if (KeySchedule.Next(keys, now, lifetime, tokens) is { } next)
            {
                Assert.True(keys.Count == 0 || next.SignsFrom - now >= TimeSpan.FromMinutes(50));
                Assert.True(next.VerifiesUntil >= next.SignsUntil + tokens);
                keys.Add(next);
            }

            Assert.Single(keys, key => key.Signs(now));
        }

        Assert.Equal(4, keys.Count);
    }

    [Fact]
    public void After_a_long_silence_the_next_key_signs_at_once()
    {
        var old = new KeySchedule(Now.AddDays(-60), Now.AddDays(-30), Now.AddDays(-29));
        Assert.Equal(Now, KeySchedule.Next([old], Now, TimeSpan.FromDays(30), TimeSpan.FromMinutes(10))?.SignsFrom);
    }

    [Theory]
    [InlineData(" Ada.Lovelace+x@Example.COM ", "ada.lovelace+x@example.com")]
    [InlineData("o'brien@mail.example.co.uk", "o'brien@mail.example.co.uk")]
    [InlineData("a@xn--mnchen-3ya.example", "a@xn--mnchen-3ya.example")]
    public void Spellings_of_one_address_fold_to_one(string text, string folded)
    {
        Assert.True(EmailAddress.TryParse(text, out var email));
        Assert.Equal(folded, email.Folded);
        Assert.Equal(text.Trim(), email.Given);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("@")]
    [InlineData("a@")]
    [InlineData("@example.com")]
    [InlineData("a@example")]
    [InlineData("a@@example.com")]
    [InlineData("a b@example.com")]
    [InlineData("a@exa mple.com")]
    [InlineData(".a@example.com")]
    [InlineData("a..b@example.com")]
    [InlineData("a@-example.com")]
    [InlineData("a@example.com.")]
    [InlineData("a@example.com\n")]
    [InlineData("a@example.com,b@example.com")]
    [InlineData("<a@example.com>")]
    [InlineData("\"a\"@example.com")]
    [InlineData("a@[127.0.0.1]")]
    [InlineData("ban\u212A@example.com")] // the Kelvin sign folds to a k
    public void What_is_no_plain_address_is_refused(string? text) => Assert.False(EmailAddress.TryParse(text, out _));

    [Fact]
    public void An_address_has_at_most_254_characters()
    {
        var domain = string.Join('.', Enumerable.Repeat(new string('d', 61), 4));
        Assert.True(EmailAddress.TryParse($"{new string('a', 254 - domain.Length - 1)}@{domain}", out _));
        Assert.False(EmailAddress.TryParse($"{new string('a', 255 - domain.Length - 1)}@{domain}", out _));
    }

    [Fact]
    public void Only_the_length_of_a_password_and_its_being_text_count()
    {
        Assert.False(PasswordPolicy.Allows(new string('a', 11)));
        Assert.True(PasswordPolicy.Allows(new string('a', 12)));
        Assert.True(PasswordPolicy.Allows(new string('ü', 256)));
        Assert.False(PasswordPolicy.Allows(new string('a', 257)));
        Assert.False(PasswordPolicy.Allows("aaaaaaaaaaaa\0"));
        Assert.False(PasswordPolicy.Allows("aaaaaaaaaaaa\ud800"));
    }

    [Fact]
    public async Task A_hash_with_fewer_rounds_is_right_and_comes_with_a_better_one()
    {
        var password = new Secret("correct horse battery");
        using var before = new PasswordHashing(Options.Create(new UsersSettings { PasswordIterations = 1000 }));
        using var after = new PasswordHashing(Options.Create(new UsersSettings { PasswordIterations = 2000 }));
        var hash = await before.HashAsync(password);
        Assert.Equal(new PasswordCheck(true, null), await before.CheckAsync(hash, password));
        Assert.Equal(default, await after.CheckAsync(hash, new("something else")));
        Assert.Equal(default, await after.CheckAsync(null, password));
        var check = await after.CheckAsync(hash, password);
        Assert.True(check.IsRight);
        Assert.Equal(new PasswordCheck(true, null), await after.CheckAsync(check.BetterHash, password));

        // A wrong password takes as long as for nobody's hash, which has as many rounds as new ones.
        Assert.Equal((1000, 0, 0), (after.RoundsMissing(hash), after.RoundsMissing(check.BetterHash!), before.RoundsMissing(check.BetterHash!)));
    }

    [Fact]
    public async Task A_wrong_password_takes_as_long_against_an_old_hash_as_against_nobodys()
    {
        using var before = new PasswordHashing(Options.Create(new UsersSettings { PasswordIterations = 1_000 }));
        using var after = new PasswordHashing(Options.Create(new UsersSettings { PasswordIterations = 400_000 }));
        var old = await before.HashAsync(new("correct horse battery"));

        // The old hash by itself takes a four-hundredth: no machine is that uneven.
        Assert.True(await TimeOfAsync(old) > await TimeOfAsync(null) / 10);

        async Task<TimeSpan> TimeOfAsync(string? hash)
        {
            var shortest = TimeSpan.MaxValue;
            for (var i = 0; i < 3; i++) // any one may be held up
            {
                var startedAt = TimeProvider.System.GetTimestamp();
                await after.CheckAsync(hash, new("wrong horse battery"));
                var took = TimeProvider.System.GetElapsedTime(startedAt);
                shortest = took < shortest ? took : shortest;
            }

            return shortest;
        }
    }

    [Fact]
    public async Task Passwords_beyond_the_queue_are_told_to_come_back()
    {
        using var hashing = new PasswordHashing(Options.Create(new UsersSettings { PasswordIterations = 200_000, MaxWaitingPasswords = 1 }));
        var all = Enumerable.Range(0, Environment.ProcessorCount + 10).Select(_ => hashing.HashAsync(new("correct horse battery"))).ToList();
        await Task.WhenAll(all).ContinueWith(_ => { }, TaskScheduler.Default);
        Assert.Contains(all, task => task.IsCompletedSuccessfully);
        Assert.All(all.Where(task => task.IsFaulted), task => Assert.IsType<Marketplace.Trouble.UnavailableException>(task.Exception!.InnerException));
        Assert.Contains(all, task => task.IsFaulted);
        Assert.NotNull(await hashing.HashAsync(new("correct horse battery")));
    }

    [Fact]
    public void A_mail_waits_longer_after_each_attempt_and_is_given_up_after_the_last_a_day_later()
    {
        Assert.Equal(TimeSpan.FromSeconds(5), OutboxRetry.After(1, 12));
        Assert.Equal(TimeSpan.FromSeconds(10), OutboxRetry.After(2, 12));
        Assert.Equal(OutboxRetry.Longest, OutboxRetry.After(99, 100));
        Assert.Null(OutboxRetry.After(12, 12));

        // A server may be away for as long as the link in a mail is good.
        var attempts = new MailSettings().MaxAttempts;
        var all = Enumerable.Range(1, attempts - 1).Sum(attempt => OutboxRetry.After(attempt, attempts)!.Value.TotalHours);
        Assert.InRange(all, new UsersSettings().VerificationLifetime.TotalHours, 48);
    }

    [Fact]
    public void A_secret_shows_nothing() =>
        Assert.DoesNotContain("horse", new Registration("a@example.com", new("correct horse battery"), "Ada", "UTC").ToString(), StringComparison.Ordinal);
}

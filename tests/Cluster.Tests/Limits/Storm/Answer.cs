using System.Globalization;

namespace Cluster.Tests.Limits.Storm;

/// <summary>What became of one request, as its client saw it.</summary>
/// <param name="Frontend">Who was asked.</param>
/// <param name="SentAt">Before its first byte left.</param>
/// <param name="AnsweredAt">When the answer had come, or the client knew that none would.</param>
/// <param name="Status">200, 429, 503 …; <see cref="Broken"/> or <see cref="TimedOut"/>.</param>
/// <param name="ResetsWithin">From the header <c>RateLimit</c>, if there was one.</param>
/// <param name="HasRetryAfter">Whether a refusal said when to come again.</param>
internal readonly record struct Answer(
    string Frontend, TimeSpan SentAt, TimeSpan AnsweredAt, int Status, TimeSpan? ResetsWithin = null, bool HasRetryAfter = false)
{
    /// <summary>The connection was refused or broke.</summary>
    public const int Broken = 0;

    /// <summary>No answer came in time.</summary>
    public const int TimedOut = -1;

    public Admission ToAdmission() => new(SentAt, AnsweredAt, ResetsWithin);

    /// <summary>The <c>t</c> of <c>RateLimit: "general";r=12;t=7</c>.</summary>
    public static TimeSpan? ParseReset(string header)
    {
        var at = header.IndexOf(";t=", StringComparison.Ordinal);
        var digits = at < 0 ? "" : new string([.. header[(at + 3)..].TakeWhile(char.IsAsciiDigit)]);
        return int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) ? TimeSpan.FromSeconds(seconds) : null;
    }
}

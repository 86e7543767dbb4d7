namespace Marketplace.Limits;

/// <summary>Names one bucket: a policy and who is limited by it.</summary>
/// <param name="Policy">The policy's name; it never holds a '|'.</param>
/// <param name="Partition">Who is counted, for example an address; any text.</param>
public readonly record struct BucketKey(string Policy, string Partition)
{
    /// <summary>The bucket's grain key, <c>policy|partition</c>.</summary>
    public override string ToString() => $"{Policy}|{Partition}";

    /// <summary>Reads what <see cref="ToString"/> wrote.</summary>
    /// <exception cref="FormatException">There is no '|' in it.</exception>
    public static BucketKey Parse(string text) => text.IndexOf('|', StringComparison.Ordinal) is var at and >= 0
        ? new(text[..at], text[(at + 1)..])
        : throw new FormatException($"'{text}' is not a bucket's key; it is written policy|partition.");
}

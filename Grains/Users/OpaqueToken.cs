using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Marketplace.Users;

namespace Marketplace.Grains.Users;

/// <summary>
/// 256 random bits that a client holds and we know only by their SHA-256. A plain hash is enough: there is nothing to guess.
/// </summary>
internal readonly record struct OpaqueToken(Secret Text, byte[] Hash)
{
    private const int Bytes = 32;
    private const int TextLength = 43;

    public static OpaqueToken Create()
    {
        var text = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(Bytes));
        return new(new(text), HashOf(text));
    }

    /// <summary>The hash to look for; false when the text can't be a token of ours.</summary>
    public static bool TryHash(Secret text, out byte[] hash)
    {
        var possible = text.Value.Length == TextLength && Ascii.IsValid(text.Value);
        hash = possible ? HashOf(text.Value) : [];
        return possible;
    }

    private static byte[] HashOf(string text) => SHA256.HashData(Encoding.ASCII.GetBytes(text));
}

using System.Buffers.Binary;
using System.Globalization;
using System.Net;

namespace Marketplace.WebFrontend.Limits.Http;

/// <summary>Who an address stands for, as the partition of a limit. Nothing here allocates but <see cref="ToPartition"/>.</summary>
internal static class ClientAddress
{
    /// <summary>The longest partition: eight groups of four, and a prefix length.</summary>
    public const int LengthMax = 43;

    private const string NoAddress = "local";
    private const int Groups = 8;

    /// <summary>IPv4 addresses as IPv6 maps them, <c>::ffff:0:0/96</c>.</summary>
    private static readonly UInt128 Mapped = (UInt128)0xffff << 32;

    /// <summary>An address as IPv6; an IPv4 address comes out the same whether or not it was mapped.</summary>
    public static UInt128 BitsOf(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var written);
        return written == 4 ? Mapped | BinaryPrimitives.ReadUInt32BigEndian(bytes) : BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    public static bool IsIPv4(UInt128 bits) => bits >> 32 == 0xffff;

    /// <summary>
    /// Writes the partition of <paramref name="address"/>: an IPv4 address as it is, also when it comes mapped into IPv6; an IPv6
    /// address cut to its prefix, since one client has a whole prefix to choose from. By bits, since masking a mapped address
    /// with an IPv6 prefix would put every IPv4 client into one bucket (CVE-2026-30827).
    /// </summary>
    /// <param name="address">The address, or null where there is none (a Unix socket).</param>
    /// <param name="ipv6PrefixLength">Leading bits that make a client, 0 to 128.</param>
    /// <param name="destination">At least <see cref="LengthMax"/> long.</param>
    /// <returns>Characters written.</returns>
    public static int Format(IPAddress? address, int ipv6PrefixLength, Span<char> destination)
    {
        if (address is null)
        {
            NoAddress.CopyTo(destination);
            return NoAddress.Length;
        }

        var bits = BitsOf(address);
        if (IsIPv4(bits))
        {
            return FormatIPv4((uint)bits, destination);
        }

        var mask = ipv6PrefixLength == 0 ? UInt128.Zero : UInt128.MaxValue << (128 - ipv6PrefixLength);
        var written = FormatIPv6(bits & mask, destination);
        if (ipv6PrefixLength < 128)
        {
            destination[written++] = '/';
            ipv6PrefixLength.TryFormat(destination[written..], out var digits, default, CultureInfo.InvariantCulture);
            written += digits;
        }

        return written;
    }

    /// <inheritdoc cref="Format"/>
    public static string ToPartition(IPAddress? address, int ipv6PrefixLength)
    {
        Span<char> text = stackalloc char[LengthMax];
        return text[..Format(address, ipv6PrefixLength, text)].ToString();
    }

    private static int FormatIPv4(uint bits, Span<char> destination)
    {
        var written = 0;
        for (var shift = 24; shift >= 0; shift -= 8)
        {
            ((byte)(bits >> shift)).TryFormat(destination[written..], out var digits, default, CultureInfo.InvariantCulture);
            written += digits;
            if (shift > 0)
            {
                destination[written++] = '.';
            }
        }

        return written;
    }

    /// <summary>RFC 5952: lower case, no leading zeros, "::" for the first of the longest runs of two zero groups or more.</summary>
    private static int FormatIPv6(UInt128 bits, Span<char> destination)
    {
        var (gapAt, gapLength) = LongestGap(bits);
        var written = 0;
        for (var group = 0; group < Groups; group++)
        {
            if (group == gapAt)
            {
                destination[written++] = ':';
                destination[written++] = ':';
                group += gapLength - 1;
                continue;
            }

            if (group > 0 && destination[written - 1] != ':')
            {
                destination[written++] = ':';
            }

            GroupOf(bits, group).TryFormat(destination[written..], out var digits, "x", CultureInfo.InvariantCulture);
            written += digits;
        }

        return written;
    }

    private static (int At, int Length) LongestGap(UInt128 bits)
    {
        var best = (At: -1, Length: 1);
        for (var group = 0; group < Groups; group++)
        {
            var length = 0;
            while (group + length < Groups && GroupOf(bits, group + length) == 0)
            {
                length++;
            }

            best = length > best.Length ? (group, length) : best;
            group += length;
        }

        return best;
    }

    private static ushort GroupOf(UInt128 bits, int group) => (ushort)(bits >> (16 * (Groups - 1 - group)));
}

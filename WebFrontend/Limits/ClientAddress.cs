using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Marketplace.WebFrontend.Limits;

/// <summary>Who an address stands for, as the partition of a limit.</summary>
internal static class ClientAddress
{
    /// <summary>
    /// The partition of <paramref name="address"/>: an IPv4 address as it is, also when it comes mapped into IPv6; an IPv6
    /// address cut to its prefix, since one client has a whole prefix to choose from. By bits, since masking a mapped address
    /// with an IPv6 prefix would put every IPv4 client into one bucket (CVE-2026-30827).
    /// </summary>
    /// <param name="address">The address, or null where there is none (a Unix socket).</param>
    /// <param name="ipv6PrefixLength">Leading bits that make a client, 0 to 128.</param>
    public static string ToPartition(IPAddress? address, int ipv6PrefixLength)
    {
        if (address is null)
        {
            return "local";
        }

        if (address.AddressFamily == AddressFamily.InterNetwork)
        {
            return address.ToString();
        }

        if (address.IsIPv4MappedToIPv6)
        {
            return address.MapToIPv4().ToString();
        }

        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        var mask = ipv6PrefixLength == 0 ? UInt128.Zero : UInt128.MaxValue << (128 - ipv6PrefixLength);
        BinaryPrimitives.WriteUInt128BigEndian(bytes, BinaryPrimitives.ReadUInt128BigEndian(bytes) & mask);
        return ipv6PrefixLength == 128 ? new IPAddress(bytes).ToString() : $"{new IPAddress(bytes)}/{ipv6PrefixLength}";
    }
}

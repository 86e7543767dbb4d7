using System.Net;
using System.Net.Sockets;

namespace Marketplace.WebFrontend.Limits.Http;

/// <summary>Addresses that share their leading bits. An IPv6 range holds no IPv4 address, mapped or not.</summary>
internal readonly record struct AddressRange(UInt128 First, UInt128 Mask, bool IsIPv4)
{
    /// <summary>Reads an address or a range, such as 10.0.0.7 or 10.0.0.0/8.</summary>
    /// <exception cref="FormatException">It is neither.</exception>
    public static AddressRange Parse(string text)
    {
        var (address, length) = IPNetwork.TryParse(text, out var network)
            ? (network.BaseAddress, network.PrefixLength)
            : (IPAddress.Parse(text), int.MaxValue);
        var bits = length == int.MaxValue ? 128 : length + (address.AddressFamily == AddressFamily.InterNetwork ? 96 : 0);
        var mask = bits == 0 ? UInt128.Zero : UInt128.MaxValue << (128 - bits);
        var first = ClientAddress.BitsOf(address) & mask;
        return new(first, mask, ClientAddress.IsIPv4(first) && bits >= 96);
    }

    public bool Contains(UInt128 address) => (address & Mask) == First && ClientAddress.IsIPv4(address) == IsIPv4;
}

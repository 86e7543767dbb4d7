using System.Net;
using CsCheck;
using Marketplace.WebFrontend.Limits.Http;

namespace WebFrontend.Tests.Limits;

public sealed class ClientAddressTests
{
    [Theory]
    [InlineData("203.0.113.7", "203.0.113.7")]
    [InlineData("::ffff:203.0.113.7", "203.0.113.7")]
    [InlineData("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64")]
    [InlineData("2001:db8:1:2::", "2001:db8:1:2::/64")]
    [InlineData("::1", "::/64")]
    public void An_address_stands_for_its_client(string address, string partition) =>
        Assert.Equal(partition, ClientAddress.ToPartition(IPAddress.Parse(address), ipv6PrefixLength: 64));

    [Fact]
    public void No_address_is_one_client_of_its_own() => Assert.Equal("local", ClientAddress.ToPartition(null, 64));

    [Theory]
    [InlineData(128, "2001:db8::ff01")]
    [InlineData(120, "2001:db8::ff00/120")]
    [InlineData(16, "2001::/16")]
    public void The_prefix_is_cut_by_bits(int length, string partition) =>
        Assert.Equal(partition, ClientAddress.ToPartition(IPAddress.Parse("2001:db8::ff01"), length));

    [Fact]
    public void Mapped_addresses_are_kept_apart_whatever_the_prefix() =>
        Gen.Select(Gen.Byte.Array[4], Gen.Byte.Array[4], Gen.Int[16, 128]).Sample((one, other, prefix) =>
        {
            var first = ClientAddress.ToPartition(new IPAddress(one).MapToIPv6(), prefix);
            var second = ClientAddress.ToPartition(new IPAddress(other).MapToIPv6(), prefix);
            Assert.Equal(one.SequenceEqual(other), first == second);
        });

    [Fact]
    public void An_IPv6_address_is_written_as_everybody_writes_it() =>
        Gen.Select(Gen.OneOf(Gen.Const((ushort)0), Gen.UShort).Array[7], Gen.UShort[1, ushort.MaxValue]).Sample((groups, first) =>
        {
            var address = new IPAddress([.. new[] { first }.Concat(groups).SelectMany(group => new[] { (byte)(group >> 8), (byte)group })]);
            Assert.Equal(address.ToString(), ClientAddress.ToPartition(address, 128), ignoreCase: true);
        });

    [Theory]
    [InlineData("10.0.0.0/8", "10.255.0.1", true)]
    [InlineData("10.0.0.0/8", "::ffff:10.1.2.3", true)]
    [InlineData("10.0.0.7", "10.0.0.7", true)]
    [InlineData("10.0.0.7", "10.0.0.8", false)]
    [InlineData("0.0.0.0/0", "2001:db8::1", false)]
    [InlineData("::/0", "10.0.0.7", false)]
    [InlineData("::/0", "2001:db8::1", true)]
    [InlineData("2001:db8::/33", "2001:db8:8000::1", false)]
    public void A_range_holds_the_addresses_that_share_its_bits(string range, string address, bool holds) =>
        Assert.Equal(holds, AddressRange.Parse(range).Contains(ClientAddress.BitsOf(IPAddress.Parse(address))));
}

using System.Net;
using CsCheck;
using Marketplace.WebFrontend.Limits;

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
}

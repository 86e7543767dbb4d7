using Marketplace.Cluster;
using Marketplace.Hosting;

namespace Cluster.Tests;

public sealed class ClusterArgumentsTests
{
    [Fact]
    public void Both_ways_to_write_an_option_are_understood_and_settings_become_environment_variables()
    {
        var options = ClusterArguments.Parse(["--silos", "4", "--frontends=1", "--port", "6000", "--Limits:Shadow=true", "--no-nginx"]);

        Assert.Equal((4, 1, 6000, false), (options.Silos, options.Frontends, options.Port, options.WithNginx));
        Assert.Equal("true", options.Settings["Limits__Shadow"]);
    }

    [Theory]
    [InlineData("--silos is '0'; it must be a whole number from 1 to 32.", "--silos", "0")]
    [InlineData("--port is '65535'; it must be a whole number from 0 to 65503.", "--port=65535")]
    [InlineData("--frontends is 'two'; it must be a whole number from 1 to 32.", "--frontends", "two")]
    [InlineData("--silos needs a value, see --help.", "--silos")]
    [InlineData("'--sillos' is not understood, see --help.", "--sillos", "3")]
    [InlineData("There is no section 'Limit' that --Limit:Shadow could set; --help lists all settings.", "--Limit:Shadow=true")]
    public void A_wrong_argument_is_named_with_what_it_may_be(string expected, params string[] args) =>
        Assert.Equal(expected, Assert.Throws<StartupException>(() => ClusterArguments.Parse(args)).Message);
}

using Marketplace.Hosting;
using Marketplace.Hosting.Settings;
using Marketplace.Limits;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Grains.Tests.Settings;

public sealed class SettingsTests
{
    [Theory]
    [InlineData("Deadline", "banana", "Limits:Deadline is 'banana'; it must be a time written hh:mm:ss, or d.hh:mm:ss.")]
    [InlineData("IPv6PrefixLength", "many", "Limits:IPv6PrefixLength is 'many'; it must be a whole number.")]
    [InlineData("LimitHealth", "perhaps", "Limits:LimitHealth is 'perhaps'; it must be true or false.")]
    [InlineData("Policies:general:Window", "soon", "Limits:Policies:general:Window is 'soon'; it must be a time written hh:mm:ss, or d.hh:mm:ss.")]
    [InlineData("Policies:general:Trouble", "panic", "Limits:Policies:general:Trouble is 'panic'; it must be one of Deny, Allow, LocalShare.")]
    [InlineData("Paths", "/search", "Limits:Paths is '/search'; it must be a list, written Limits:Paths:0=… and so on.")]
    [InlineData("Policis", "1", "Limits has no setting 'Policis'; --help lists those that it has.")]
    [InlineData("Policies:general:Lim", "1", "Limits has no setting 'Lim'; --help lists those that it has.")]
    public void A_name_or_a_type_that_is_wrong_is_told_in_one_line(string name, string value, string line) =>
        Assert.Equal(line, Assert.Throws<StartupException>(() => Bind(name, value)).Message);

    [Theory]
    [InlineData("IPv6PrefixLength", "129", "Limits:IPv6PrefixLength is '129'; it must be from 16 to 128.")]
    [InlineData("Policies:general:Limit", "0", "Limits:Policies:general:Limit is '0'; it must be from 1 to 1000000000.")]
    [InlineData("Policies:Not a name:Limit", "1", "Limits: Policies holds 'Not a name'; a policy's name is 1 to 64 of a-z, 0-9 and '-'..")]
    public void A_value_out_of_range_is_told_with_what_it_may_be(string name, string value, string line) =>
        Assert.Equal(line.TrimEnd('.'), Assert.Single(Assert.Throws<OptionsValidationException>(() => Bind(name, value)).Failures).TrimEnd('.'));

    [Fact]
    public void A_feature_s_policy_keeps_its_defaults_where_the_configuration_says_nothing()
    {
        var options = Bind("Policies:login:Limit", "7", services => services.AddLimitPolicy("login", 20, TimeSpan.FromHours(1)));

        Assert.Equal((7, TimeSpan.FromHours(1)), (options.Policies["login"].Limit, options.Policies["login"].Window));
    }

    [Fact]
    public void A_cost_that_its_limit_never_allows_is_refused()
    {
        var options = new LimitsOptions { Paths = { new() { Path = "/search", Policy = LimitsOptions.General, Cost = 201 } } };
        var error = Assert.Single(options.Validate(new(options)));
        Assert.Equal("Paths holds '/search' with a cost of 201, more than the limit of 'general' ever allows.", error.ErrorMessage);
    }

    private static LimitsOptions Bind(string name, string value, Action<IServiceCollection>? add = null)
    {
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder()
            .AddInMemoryCollection([new($"Limits:{name}", value)]).Build());
        services.AddSettings<LimitsOptions>(LimitsOptions.Section);
        add?.Invoke(services);
        return services.BuildServiceProvider().GetRequiredService<IOptions<LimitsOptions>>().Value;
    }
}

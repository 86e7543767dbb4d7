using System.ComponentModel;
using System.Reflection;
using Marketplace.Hosting.Settings;
using Marketplace.Silo.Hosting;
using Marketplace.Standalone.PrivatePostgres;
using Marketplace.WebFrontend.Hosting;
using Microsoft.AspNetCore.Builder;

namespace Architecture.Tests;

public sealed class SettingsTests
{
    private static readonly List<SettingsSection> Sections = AllSections();

    [Fact]
    public void Every_setting_says_what_it_means()
    {
        var silent =
            from section in Sections
            from property in section.Type.GetProperties()
            where property.CanWrite && property.GetCustomAttribute<DescriptionAttribute>() is null
            select $"{section.Name}:{property.Name}";

        Assert.Empty(silent);
    }

    [Fact]
    public void Help_lists_every_setting()
    {
        using var help = new StringWriter();
        SettingsHelp.Write(help, "usage", Sections);

        var text = help.ToString();
        Assert.All(Sections, section => Assert.Contains($"  {section.Name}:", text, StringComparison.Ordinal));
        Assert.Contains("Limits:Policies:<name>:Limit  (default 200; ", text, StringComparison.Ordinal);
        Assert.Contains("Limits:Paths:<n>:Policy  (", text, StringComparison.Ordinal);
        Assert.Contains("Limits:Paths:<n>:Methods:<n>  (", text, StringComparison.Ordinal);
        Assert.Contains("Users:Operators:<n>  (", text, StringComparison.Ordinal);
        Assert.Contains("<n> counts from 0", text, StringComparison.Ordinal);
        Assert.Contains("Connections:PerUserByRole:<name>  (no default)", text, StringComparison.Ordinal);
        Assert.Contains("Database:MaxPoolSize  (default 50; from 1 to 1000)", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_command_line_may_name_the_sections_that_there_are_and_no_others() =>
        Assert.Equal(Sections.Select(section => section.Name).Order(), CommandLineSettings.Sections.Order());

    private static List<SettingsSection> AllSections()
    {
        var builder = WebApplication.CreateBuilder();
        builder.AddStandaloneSettings().AddMarketplaceSilo().AddMarketplaceFrontend();
        return [.. builder.Services.Select(service => service.ImplementationInstance).OfType<SettingsSection>()];
    }
}

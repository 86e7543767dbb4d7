using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Marketplace.Hosting.Settings;

/// <summary>Registers options that are bound strictly and checked before the process does anything.</summary>
public static class SettingsServiceCollectionExtensions
{
    /// <summary>
    /// Binds <typeparamref name="T"/> to the configuration section <paramref name="section"/>, validates its data
    /// annotations at every depth, and does so at start. A key that the type doesn't have is an error, since a typing
    /// mistake would otherwise leave a default in force. Idempotent per type.
    /// </summary>
    /// <param name="services">The services of the process.</param>
    /// <param name="section">The section's path, for example <c>Limits</c>.</param>
    public static OptionsBuilder<T> AddSettings<T>(this IServiceCollection services, string section) where T : class
    {
        var builder = services.AddOptions<T>();
        if (services.Any(d => d.ImplementationInstance is SettingsSection known && known.Type == typeof(T)))
        {
            return builder;
        }

        services.AddSingleton(new SettingsSection(section, typeof(T)));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<T>, SettingsValidator<T>>(
            _ => new SettingsValidator<T>(section)));
        return builder
            .Configure<IConfiguration>((options, configuration) => SettingsBinder.Bind(configuration, section, options))
            .ValidateOnStart();
    }
}

/// <summary>A section of the configuration and the type that it is bound to; <see cref="SettingsHelp"/> lists them.</summary>
/// <param name="Name">The section's path.</param>
/// <param name="Type">The options type.</param>
public sealed record SettingsSection(string Name, Type Type);

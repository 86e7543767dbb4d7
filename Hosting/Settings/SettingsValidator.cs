using Microsoft.Extensions.Options;

namespace Marketplace.Hosting.Settings;

/// <summary>Has <see cref="SettingsRules"/> judge a section when the process starts.</summary>
internal sealed class SettingsValidator<T>(string section) : IValidateOptions<T> where T : class
{
    public ValidateOptionsResult Validate(string? name, T options) =>
        SettingsRules.Check(options, section) is { Count: > 0 } failures
            ? ValidateOptionsResult.Fail(failures.Select(failure => failure.Line))
            : ValidateOptionsResult.Success;
}

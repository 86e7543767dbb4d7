using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;

namespace Marketplace.Hosting.Settings;

/// <summary>Binds a section strictly, and words what the framework's binder finds wrong as an operator would want to read it.</summary>
internal static partial class SettingsBinder
{
    /// <exception cref="StartupException">A name that isn't a setting, or a value of the wrong type.</exception>
    public static void Bind(IConfiguration configuration, string section, object options)
    {
        try
        {
            configuration.GetSection(section).Bind(options, binder => binder.ErrorOnUnknownConfiguration = true);
        }
        catch (InvalidOperationException error)
        {
            throw new StartupException(Describe(section, error) ?? error.Message);
        }
    }

    private static string? Describe(string section, Exception? error)
    {
        for (; error is not null; error = error.InnerException)
        {
            if (WrongType().Match(error.Message) is { Success: true } wrong)
            {
                return $"{wrong.Groups["path"].Value} is '{wrong.Groups["value"].Value}'; it must be {Kind(wrong.Groups["path"].Value, wrong.Groups["type"].Value)}.";
            }

            if (Unknown().Match(error.Message) is { Success: true } unknown)
            {
                return $"{section} has no setting {unknown.Groups["names"].Value}; --help lists those that it has.";
            }
        }

        return null;
    }

    private static string Kind(string path, string type) => type switch
    {
        "System.Int32" or "System.Int64" => "a whole number",
        "System.Boolean" => "true or false",
        "System.TimeSpan" => "a time written hh:mm:ss, or d.hh:mm:ss",
        "System.Double" => "a number",
        _ when type.StartsWith("System.Collections.Generic.IList`1", StringComparison.Ordinal) => $"a list, written {path}:0=… and so on",
        _ => EnumNamed(type) is { } choice ? $"one of {string.Join(", ", Enum.GetNames(choice))}" : $"a {type}",
    };

    /// <summary>The framework's message has an enum's name only, and not whose it is.</summary>
    private static Type? EnumNamed(string type) => AppDomain.CurrentDomain.GetAssemblies()
        .Select(assembly => assembly.GetType(type)).FirstOrDefault(found => found is { IsEnum: true });

    [GeneratedRegex(@"^Failed to convert configuration value '(?<value>.*)' at '(?<path>.*)' to type '(?<type>.*)'\.$", RegexOptions.Singleline)]
    private static partial Regex WrongType();

    [GeneratedRegex("properties were not found on the instance of .*: (?<names>'.*')$")]
    private static partial Regex Unknown();
}

using System.Collections;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;

namespace Marketplace.Hosting.Settings;

/// <summary>Writes what <c>--help</c> shows: every setting with its type, default, range and meaning.</summary>
public static class SettingsHelp
{
    /// <summary>Writes the list of <paramref name="sections"/> to <paramref name="output"/>, one setting a line.</summary>
    public static void Write(TextWriter output, string usage, IEnumerable<SettingsSection> sections)
    {
        output.WriteLine(usage);
        output.WriteLine();
        output.WriteLine("Settings, as --Section:Name=value, as environment variables (Section__Name) or in appsettings.json;");
        output.WriteLine("<n> counts from 0, as in --Section:Name:0=value, and a <name> is of your choice:");
        foreach (var section in sections.OrderBy(s => s.Name, StringComparer.Ordinal))
        {
            output.WriteLine();
            WriteType(output, section.Name, section.Type, Activator.CreateInstance(section.Type));
        }
    }

    /// <summary>The words for what a rule allows, or null for a rule that speaks for itself.</summary>
    internal static string? DescribeRule(ValidationAttribute rule) => rule switch
    {
        RangeAttribute range => $"from {range.Minimum} to {range.Maximum}",
        RequiredAttribute => "given a value",
        StringLengthAttribute length => $"{length.MinimumLength} to {length.MaximumLength} characters long",
        _ => null,
    };

    private static void WriteType(TextWriter output, string path, Type type, object? defaults)
    {
        foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(p => p.CanWrite || KeyAndElement(p.PropertyType) is not null))
        {
            var value = defaults is null ? null : property.GetValue(defaults);
            var name = $"{path}:{property.Name}";
            if (KeyAndElement(property.PropertyType) is var (key, element))
            {
                (name, value) = ($"{name}:{key}", element == typeof(string) ? value : null);
                if (!element.IsPrimitive && element != typeof(string))
                {
                    WriteType(output, name, element, Activator.CreateInstance(element));
                    continue;
                }
            }

            var rules = property.GetCustomAttributes<ValidationAttribute>().Select(DescribeRule).OfType<string>();
            var facts = new[] { DescribeDefault(value) }.Concat(rules);
            var meaning = property.GetCustomAttribute<DescriptionAttribute>()?.Description;
            output.WriteLine($"  {name}  ({string.Join("; ", facts)})");
            if (meaning is not null)
            {
                output.WriteLine($"      {meaning}");
            }
        }
    }

    /// <summary>What stands for the key, and the element, of a dictionary or of a list.</summary>
    private static (string Key, Type Element)? KeyAndElement(Type type) =>
        !type.IsGenericType ? null
        : typeof(IDictionary).IsAssignableFrom(type) ? ("<name>", type.GetGenericArguments()[1])
        : type.GetGenericTypeDefinition() == typeof(IList<>) ? ("<n>", type.GetGenericArguments()[0])
        : null;

    private static string DescribeDefault(object? value) => value switch
    {
        null or "" => "no default",
        string text => $"default {text}",
        IEnumerable list => $"default {string.Join(", ", list.Cast<object>())}",
        _ => string.Create(CultureInfo.InvariantCulture, $"default {value}"),
    };
}

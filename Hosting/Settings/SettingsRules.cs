using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;

namespace Marketplace.Hosting.Settings;

/// <summary>
/// Checks data annotations through nested objects, lists and dictionaries, and words each failure as the setting's value and
/// what it may be. (The annotations' own validator says neither the path nor the value.)
/// </summary>
public static class SettingsRules
{
    /// <summary>All that is wrong with <paramref name="options"/>.</summary>
    /// <param name="options">What is bound to a section, or a part of it.</param>
    /// <param name="path">Its path in the configuration, or nothing where there is none.</param>
    public static IReadOnlyList<SettingFailure> Check(object options, string path = "")
    {
        var failures = new List<SettingFailure>();
        Check(options, path, failures);
        return failures;
    }

    private static void Check(object value, string path, List<SettingFailure> failures)
    {
        switch (value)
        {
            case IDictionary dictionary:
                foreach (DictionaryEntry entry in dictionary)
                {
                    CheckNested(entry.Value, $"{path}:{entry.Key}", failures);
                }

                return;
            case IEnumerable list:
                var index = 0;
                foreach (var item in list)
                {
                    CheckNested(item, $"{path}:{index++}", failures);
                }

                return;
        }

        foreach (var property in value.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            if (property.GetIndexParameters().Length > 0)
            {
                continue;
            }

            var propertyPath = path.Length == 0 ? property.Name : $"{path}:{property.Name}";
            var propertyValue = property.GetValue(value);
            var context = new ValidationContext(value) { MemberName = property.Name, DisplayName = propertyPath };
            foreach (var rule in property.GetCustomAttributes<ValidationAttribute>())
            {
                if (rule.GetValidationResult(propertyValue, context) is { } failure)
                {
                    var text = Describe(propertyPath, propertyValue, rule, failure);
                    failures.Add(new(property.Name, text, $"{propertyPath} {text}"));
                }
            }

            CheckNested(propertyValue, propertyPath, failures);
        }

        if (value is IValidatableObject self)
        {
            failures.AddRange(self.Validate(new ValidationContext(value))
                .Select(result => new SettingFailure(
                    result.MemberNames.FirstOrDefault(), result.ErrorMessage ?? "", $"{path}: {result.ErrorMessage}")));
        }
    }

    private static void CheckNested(object? value, string path, List<SettingFailure> failures)
    {
        var isNested = value switch
        {
            null or string => false,
            IEnumerable => true,
            _ => value.GetType().Assembly.GetName().Name!.StartsWith("Marketplace", StringComparison.Ordinal)
                && !value.GetType().IsEnum,
        };
        if (isNested)
        {
            Check(value!, path, failures);
        }
    }

    private static string Describe(string path, object? value, ValidationAttribute rule, ValidationResult failure)
    {
        var shown = value switch
        {
            null or "" => "is not set",
            _ when path.Contains("ConnectionString", StringComparison.Ordinal) => "has a value that is not shown",
            _ => string.Create(CultureInfo.InvariantCulture, $"is '{value}'"),
        };
        var allowed = rule.ErrorMessage is not null
            ? rule.ErrorMessage
            : SettingsHelp.DescribeRule(rule) is { } words ? $"it must be {words}" : failure.ErrorMessage;
        return $"{shown}; {allowed}.";
    }
}

/// <summary>A setting that is not as it may be.</summary>
/// <param name="Member">The property's name; null when the failure is none of a single one.</param>
/// <param name="Text">The value, and what it may be.</param>
/// <param name="Line">The same with the setting's full name, for an operator's eyes.</param>
public sealed record SettingFailure(string? Member, string Text, string Line);

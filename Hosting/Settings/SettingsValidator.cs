using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using Microsoft.Extensions.Options;

namespace Marketplace.Hosting.Settings;

/// <summary>
/// Checks data annotations through nested objects, lists and dictionaries, and words each failure as the setting's full
/// name, its value and what it may be. (The annotations' own validator says neither the path nor the value.)
/// </summary>
internal sealed class SettingsValidator<T>(string section) : IValidateOptions<T> where T : class
{
    public ValidateOptionsResult Validate(string? name, T options)
    {
        var failures = new List<string>();
        Check(options, section, failures);
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }

    private static void Check(object value, string path, List<string> failures)
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

            var propertyPath = $"{path}:{property.Name}";
            var propertyValue = property.GetValue(value);
            var context = new ValidationContext(value) { MemberName = property.Name, DisplayName = propertyPath };
            foreach (var rule in property.GetCustomAttributes<ValidationAttribute>())
            {
                if (rule.GetValidationResult(propertyValue, context) is { } failure)
                {
                    failures.Add(Describe(propertyPath, propertyValue, rule, failure));
                }
            }

            CheckNested(propertyValue, propertyPath, failures);
        }

        if (value is IValidatableObject self)
        {
            failures.AddRange(self.Validate(new ValidationContext(value) { DisplayName = path })
                .Select(result => $"{path}: {result.ErrorMessage}"));
        }
    }

    private static void CheckNested(object? value, string path, List<string> failures)
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
        return $"{path} {shown}; {allowed}.";
    }
}

using System.Reflection;
using System.Text.Json;
using Marketplace.Hosting.Settings;

namespace Marketplace.WebFrontend.Hosting;

/// <summary>
/// Settings that an operator replaces as a whole, as JSON under their names. None may be left out: it would become its default, unasked. The body
/// is read field by field, so that all that is wrong with it is told at once.
/// </summary>
internal static class SettingsBody
{
    /// <summary>Reads and judges a body; the settings are of use only when no errors were added.</summary>
    public static T Read<T>(JsonElement body, JsonSerializerOptions json, FieldErrors errors) where T : class, new()
    {
        var settings = typeof(T).GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.CanWrite).ToList();
        var options = new T();
        if (body.ValueKind != JsonValueKind.Object)
        {
            errors.Add("", "The body must be an object: the settings.");
            return options;
        }

        foreach (var stranger in body.EnumerateObject().Where(field => settings.All(setting => NameOf(setting.Name) != field.Name)))
        {
            errors.Add(stranger.Name, "There is no such setting.");
        }

        var given = settings.Where(setting => TryRead(body, setting, options, json, errors)).Select(setting => setting.Name).ToHashSet();
        foreach (var failure in SettingsRules.Check(options).Where(failure => failure.Member is null || given.Contains(failure.Member)))
        {
            errors.Add(NameOf(failure.Member ?? ""), failure.Text);
        }

        return options;
    }

    private static bool TryRead(
        JsonElement body, PropertyInfo setting, object options, JsonSerializerOptions json, FieldErrors errors)
    {
        var name = NameOf(setting.Name);
        if (!body.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            errors.Add(name, "It is required: all settings are replaced at once.");
            return false;
        }

        try
        {
            if (value.ValueKind == JsonValueKind.Array && value.EnumerateArray().Any(item => item.ValueKind != JsonValueKind.String))
            {
                throw new JsonException(); // a null would pass for a text
            }

            setting.SetValue(options, value.Deserialize(setting.PropertyType, json));
            return true;
        }
        catch (JsonException)
        {
            errors.Add(name, $"It must be {KindOf(setting.PropertyType)}.");
            return false;
        }
    }

    private static string KindOf(Type type) =>
        type.IsEnum ? $"one of {string.Join(", ", Enum.GetNames(type))}"
        : type == typeof(int) ? "a whole number"
        : type == typeof(bool) ? "true or false"
        : type == typeof(TimeSpan) ? "a time written \"hh:mm:ss\", or \"d.hh:mm:ss\""
        : type == typeof(string) ? "a text"
        : type == typeof(Dictionary<string, int>) ? "an object of names with whole numbers"
        : "a list of texts";

    private static string NameOf(string setting) => JsonNamingPolicy.CamelCase.ConvertName(setting);
}

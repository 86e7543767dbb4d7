using System.Reflection;
using System.Text.Json;
using Marketplace.Hosting.Settings;
using Marketplace.Limits;
using Marketplace.WebFrontend.Hosting;

namespace Marketplace.WebFrontend.Limits;

/// <summary>
/// A whole policy as JSON, under the names of its settings. None may be left out: it would become its default, unasked. The body
/// is read field by field, so that all that is wrong with it is told at once.
/// </summary>
internal static class PolicyBody
{
    private static readonly PropertyInfo[] Settings =
        [.. typeof(LimitPolicyOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.CanWrite)];

    /// <summary>Reads and judges a body; the policy is of use only when no errors were added.</summary>
    public static LimitPolicyOptions Read(JsonElement body, JsonSerializerOptions json, FieldErrors errors)
    {
        var options = new LimitPolicyOptions();
        if (body.ValueKind != JsonValueKind.Object)
        {
            errors.Add("", "The body must be an object: the policy's settings.");
            return options;
        }

        foreach (var stranger in body.EnumerateObject().Where(field => Settings.All(setting => NameOf(setting.Name) != field.Name)))
        {
            errors.Add(stranger.Name, "No policy has this setting.");
        }

        var given = Settings.Where(setting => TryRead(body, setting, options, json, errors)).Select(setting => setting.Name).ToHashSet();
        foreach (var failure in SettingsRules.Check(options).Where(failure => failure.Member is null || given.Contains(failure.Member)))
        {
            errors.Add(NameOf(failure.Member ?? ""), failure.Text);
        }

        return options;
    }

    private static bool TryRead(
        JsonElement body, PropertyInfo setting, LimitPolicyOptions options, JsonSerializerOptions json, FieldErrors errors)
    {
        var name = NameOf(setting.Name);
        if (!body.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            errors.Add(name, "It is required: a policy is replaced as a whole.");
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
        : "a list of texts";

    private static string NameOf(string setting) => JsonNamingPolicy.CamelCase.ConvertName(setting);
}

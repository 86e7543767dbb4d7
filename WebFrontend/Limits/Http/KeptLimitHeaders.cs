using Microsoft.Extensions.Primitives;

namespace Marketplace.WebFrontend.Limits.Http;

/// <summary>An exception's answer says where its client stands, too, though the handler of exceptions clears what was set before.</summary>
internal static class KeptLimitHeaders
{
    /// <summary>Directly after the limiter.</summary>
    public static WebApplication UseKeptLimitHeaders(this WebApplication app)
    {
        var headers = app.Services.GetRequiredService<ILimitHeaders>();
        app.Use(next => context =>
        {
            var served = next(context);
            return served.IsCompletedSuccessfully ? served : KeepAsync(context, served, headers.Names);
        });
        return app;
    }

    /// <summary>Sets again what was kept, if anything.</summary>
    public static void Restore(HttpContext context)
    {
        if (context.Items.TryGetValue(typeof(KeptLimitHeaders), out var kept) && !context.Response.HasStarted)
        {
            foreach (var (name, value) in (KeyValuePair<string, StringValues>[])kept!)
            {
                context.Response.Headers.TryAdd(name, value);
            }
        }
    }

    private static async Task KeepAsync(HttpContext context, Task served, IReadOnlyList<string> names)
    {
        try
        {
            await served;
        }
        catch
        {
            context.Items[typeof(KeptLimitHeaders)] =
                context.Response.Headers.Where(header => names.Contains(header.Key, StringComparer.OrdinalIgnoreCase)).ToArray();
            throw;
        }
    }
}

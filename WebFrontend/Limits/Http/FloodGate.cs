namespace Marketplace.WebFrontend.Limits.Http;

/// <summary>
/// Turns away what is known to be refused before anything else is done for it, so that a flood costs next to nothing. Everything
/// else is none of its business: it takes no permits, and the rate limiting middleware comes after it.
/// </summary>
internal static class FloodGate
{
    /// <summary>After routing, since endpoints say what limits them, and before all that a refusal doesn't need.</summary>
    public static WebApplication UseFloodGate(this WebApplication app)
    {
        var limiter = app.Services.GetRequiredService<HttpLimiter>();
        app.Use(next => context =>
            limiter.TryRefuse(context, out var status) ? RefusalWriter.WriteTooManyAsync(context, status) : next(context));
        return app;
    }
}

using Microsoft.AspNetCore.Http.Features;

namespace Marketplace.WebFrontend.Hosting;

internal static class BodyTimeoutExtensions
{
    /// <summary>
    /// Lets the request time-out reach a handler that waits for the body: the framework's binding reads it without the
    /// request's cancellation token, so a client that sends half of it would otherwise hold the request past its time.
    /// </summary>
    public static WebApplication UseBodyTimeout(this WebApplication app)
    {
        app.Use(next => context => context.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: true }
            ? ReadInTimeAsync(context, next)
            : next(context));
        return app;
    }

    private static async Task ReadInTimeAsync(HttpContext context, RequestDelegate next)
    {
        await using var registration = context.RequestAborted.UnsafeRegister(
            static state => ((HttpContext)state!).Request.BodyReader.CancelPendingRead(), context);
        await next(context);
    }
}

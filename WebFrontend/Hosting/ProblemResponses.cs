using System.Diagnostics;
using System.Text.Json;
using Marketplace.WebFrontend.Limits.Calls;
using Marketplace.WebFrontend.Limits.Http;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Marketplace.WebFrontend.Hosting;

/// <summary>Every error leaves as <c>application/problem+json</c> with a trace id and nothing internal.</summary>
internal static class ProblemResponses
{
    public static IServiceCollection AddProblemResponses(this IServiceCollection services)
    {
        services.AddProblemDetails(options => options.CustomizeProblemDetails = context =>
        {
            context.ProblemDetails.Type = ProblemTypes.UriOf(context.ProblemDetails);
            context.ProblemDetails.Extensions["traceId"] = Activity.Current?.Id ?? context.HttpContext.TraceIdentifier;
        });
        services.AddExceptionHandler<ExceptionToProblem>();
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<TroubleLog>();

        // Binding errors reach the handler as exceptions that name the field, in production too.
        services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        return services;
    }

    public static WebApplication UseProblemResponses(this WebApplication app)
    {
        app.UseExceptionHandler(new ExceptionHandlerOptions
        {
            SuppressDiagnosticsCallback = context => ExceptionToProblem.IsExpected(context.Exception),
        });
        app.UseStatusCodePages();
        return app;
    }
}

/// <summary>Maps what may go wrong without being a defect to its status; anything else is a bare 500 and logged.</summary>
internal sealed class ExceptionToProblem(TroubleLog log) : IExceptionHandler
{
    private static readonly TimeSpan TryAgainIn = TimeSpan.FromSeconds(2);

    public static bool IsExpected(Exception error) => error is BadHttpRequestException or CallRefusedException || IsClusterTrouble(error);

    public async ValueTask<bool> TryHandleAsync(
        HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        KeptLimitHeaders.Restore(httpContext);
        switch (exception)
        {
            case BadHttpRequestException bad:
                await ProblemWriter.WriteAsync(
                    httpContext, bad.StatusCode, ProblemTypes.OfStatus(bad.StatusCode), TitleOf(bad.StatusCode), Describe(bad));
                return true;
            case OperationCanceledException when httpContext.RequestAborted.IsCancellationRequested:
                httpContext.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
                return true;
            case CallRefusedException refused:
                await RefusalWriter.WriteAsync(httpContext, refused.Lease);
                return true;
            case var _ when IsClusterTrouble(exception):
                log.Write(exception, httpContext.Request.Path);
                await ProblemWriter.WriteUnavailableAsync(
                    httpContext,
                    HttpMethods.IsGet(httpContext.Request.Method) || HttpMethods.IsHead(httpContext.Request.Method)
                        ? "Please try again in a moment."
                        : "What was asked for may or may not have been done. Look, or ask for it again in a moment.",
                    TryAgainIn);
                return true;
            default:
                return false;
        }
    }

    /// <summary>No silo could be reached, it didn't answer in time, or its storage is away.</summary>
    private static bool IsClusterTrouble(Exception error) =>
        ClusterTrouble.IsTransient(error) || error is Npgsql.NpgsqlException { IsTransient: true };

    private static string TitleOf(int status) => status switch
    {
        StatusCodes.Status408RequestTimeout => "The request came too slowly",
        StatusCodes.Status413PayloadTooLarge => "The request body is too large",
        _ => "The request is not understood",
    };

    private static string Describe(BadHttpRequestException bad) => bad.InnerException switch
    {
        JsonException { Path: { Length: > 0 } path, Message: var message } when message.Contains("could not be mapped", StringComparison.Ordinal) =>
            $"The body has a field that isn't known here: {path}.",
        JsonException { Path: { Length: > 1 } path } => $"The body's field {path} has a value of the wrong type.",
        JsonException { LineNumber: { } line, BytePositionInLine: { } position } =>
            $"The body is not the JSON that is asked for here (line {line + 1}, byte {position + 1}).",
        JsonException => "The body is not the JSON that is asked for here.",

        null when bad.Message.Contains("no body was provided", StringComparison.Ordinal) => "A JSON body is required.",

        // The framework's own words name the parameter and the value; they hold nothing internal.
        _ => bad.Message,
    };
}

using System.Text;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.Net.Http.Headers;

namespace Marketplace.WebFrontend.Hosting;

internal static class BodyEncodingExtensions
{
    /// <summary>
    /// Answers a body in an encoding that isn't known with 415, and takes the quotes off the name of one that is: the framework's
    /// binding throws at either as if it were a defect of ours.
    /// </summary>
    public static WebApplication UseBodyEncoding(this WebApplication app)
    {
        app.Use(next => context =>
        {
            if (context.GetEndpoint()?.Metadata.GetMetadata<IAcceptsMetadata>() is not null)
            {
                NameAsBindingReadsIt(context.Request);
            }

            return next(context);
        });
        return app;
    }

    private static void NameAsBindingReadsIt(HttpRequest request)
    {
        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type) || type.Charset is not { HasValue: true } charset
            || charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase))
        {
            return;
        }

        try
        {
            // Its own name: of its other ones, some can't be written without quotes.
            type.Charset = Encoding.GetEncoding(HeaderUtilities.UnescapeAsQuotedString(charset).ToString()).WebName;
        }
        catch (Exception error) when (error is ArgumentException or NotSupportedException)
        {
            throw new BadHttpRequestException("The body's charset is not known here.", StatusCodes.Status415UnsupportedMediaType);
        }

        request.ContentType = type.ToString();
    }
}

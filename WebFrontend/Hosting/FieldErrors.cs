using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.WebFrontend.Hosting;

/// <summary>Collects what is wrong with the fields of a body, so that all of it is told at once.</summary>
internal sealed class FieldErrors
{
    private readonly Dictionary<string, string[]> _errors = new(StringComparer.Ordinal);

    public bool Any => _errors.Count > 0;

    public void Add(string field, string error) => _errors[field] = [.. _errors.GetValueOrDefault(field, []), error];

    /// <summary>400 with every field's errors.</summary>
    public ProblemHttpResult ToProblem() => TypedResults.Problem(new HttpValidationProblemDetails(_errors)
    {
        Status = StatusCodes.Status400BadRequest,
        Type = ProblemTypes.Uri(ProblemTypes.Validation),
        Title = "Some fields are not valid",
    });
}

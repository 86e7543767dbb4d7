namespace Marketplace.Trouble;

/// <summary>
/// What was asked can't be done at the moment, though nothing is wrong with the request: PostgreSQL is away, or another
/// activation has taken over. Nothing was acknowledged; trying again is safe. At the HTTP edge it is a 503.
/// </summary>
[GenerateSerializer, Alias("trouble.unavailable")]
public sealed class UnavailableException : Exception
{
    public UnavailableException()
        : this("The service is temporarily unavailable.")
    {
    }

    /// <param name="message">For the log; it isn't shown to clients.</param>
    public UnavailableException(string message)
        : base(message)
    {
    }

    /// <inheritdoc cref="UnavailableException(string)"/>
    public UnavailableException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}

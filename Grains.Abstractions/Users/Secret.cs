namespace Marketplace.Users;

/// <summary>A password or a token on its way. Orleans may write the arguments of a slow call to the log: these show nothing.</summary>
/// <param name="Value">What must not be shown.</param>
[GenerateSerializer, Immutable, Alias("users.secret")]
public sealed record Secret([property: Id(0)] string Value)
{
    /// <summary>Stars.</summary>
    public override string ToString() => "***";
}

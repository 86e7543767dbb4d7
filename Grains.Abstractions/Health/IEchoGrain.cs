namespace Marketplace.Health;

/// <summary>Answers, and does nothing else: a frontend asks it whether any silo can be reached. Any key will do.</summary>
[Alias("health.echo")]
public interface IEchoGrain : IGrainWithIntegerKey
{
    /// <summary>Returns once a silo has run the call.</summary>
    [Alias("echo")]
    ValueTask Echo();
}

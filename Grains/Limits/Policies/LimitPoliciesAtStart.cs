using Marketplace.Limits;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Marketplace.Grains.Limits.Policies;

/// <summary>
/// Has a silo know what operators have changed before it gets a single bucket: one that moves there would otherwise count under
/// the configured policy until the silo has heard. The follower does the rest.
/// </summary>
internal sealed partial class LimitPoliciesAtStart(
    IServiceProvider services, LimitPolicies policies, ILogger<LimitPoliciesAtStart> logger) : ILifecycleParticipant<ISiloLifecycle>
{
    public void Participate(ISiloLifecycle lifecycle) =>
        lifecycle.Subscribe(nameof(LimitPoliciesAtStart), ServiceLifecycleStage.ApplicationServices, ReadAsync);

    private async Task ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            policies.Replace(await services.GetRequiredService<LimitPolicyStore>().ReadAsync());
        }
#pragma warning disable CA1031 // a silo under the policies as configured is better than none
        catch (Exception error)
#pragma warning restore CA1031
        {
            LogNotRead(error.Message);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Changed limit policies can't be read yet; those configured are in force until then: {Reason}")]
    private partial void LogNotRead(string reason);
}

using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Marketplace.Limits;

/// <summary>
/// Keeps this process's <see cref="LimitPolicies"/> as operators have changed them, by a long poll. Until it has reached a silo,
/// and while it can't, what was heard last is in force.
/// </summary>
public sealed partial class LimitPolicyFollower(
    IGrainFactory grains,
    LimitPolicies policies,
    IEnumerable<IPartitionResetListener> listeners,
    TimeProvider clock,
    ILogger<LimitPolicyFollower> logger) : BackgroundService
{
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(250);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var isInTrouble = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                // The grain is looked up each time: before the process is linked to a silo even that fails.
                var poll = grains.GetGrain<ILimitPoliciesGrain>(0).WaitForChange(policies.Revision).AsTask();
                if (await poll.WaitAsync(stoppingToken) is { } changed)
                {
                    Apply(changed);
                }

                if (isInTrouble)
                {
                    isInTrouble = false;
                    LogFollowing();
                }
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // whatever it is, there is nothing to do but to ask again
            catch (Exception error)
#pragma warning restore CA1031
            {
                if (!isInTrouble)
                {
                    isInTrouble = true;
                    LogTrouble(error.Message);
                }

                await Task.Delay(RetryInterval, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private void Apply(ChangedPolicies changed)
    {
        if (policies.Replace(changed) is not { } before)
        {
            return;
        }

        LogChanged(changed.Revision);
        foreach (var reset in changed.Resets.Where(reset => reset.Revision > before.Revision))
        {
            foreach (var listener in listeners)
            {
                listener.OnReset(reset.Bucket);
            }
        }
    }

    [LoggerMessage(LogLevel.Information, "Limit policies are now those of revision {Revision}")]
    private partial void LogChanged(long revision);

    [LoggerMessage(LogLevel.Warning, "Changes of limit policies can't be followed at the moment; those heard last are in force: {Reason}")]
    private partial void LogTrouble(string reason);

    [LoggerMessage(LogLevel.Information, "Changes of limit policies are followed again")]
    private partial void LogFollowing();
}

/// <summary>Whoever in this process remembers something of a bucket.</summary>
public interface IPartitionResetListener
{
    /// <summary>An operator has reset the bucket: what is remembered of it is void. Only starts something.</summary>
    /// <param name="bucket">The bucket's key, see <see cref="BucketKey"/>.</param>
    void OnReset(string bucket);
}

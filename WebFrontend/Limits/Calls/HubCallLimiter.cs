using System.Diagnostics.Metrics;
using System.Globalization;
using Marketplace.Limits;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Limits.Calls;

/// <summary>
/// Limits what one connection to a hub may ask for. A connection lives on one frontend, so this needs nobody else: no bucket, no
/// call, two reads and a compare-and-swap. A client that doesn't heed refusals is cut off, since SignalR logs each of them.
/// </summary>
internal sealed class HubCallLimiter : IHubFilter
{
    /// <summary>Seconds' worth of calls that a connection may be refused without a pause.</summary>
    private const int Patience = 10;

    private readonly int _perSecond;
    private readonly TimeProvider _clock;
    private readonly Counter<long> _refused;

    public HubCallLimiter(IOptions<LimitsOptions> options, TimeProvider clock, IMeterFactory meters)
    {
        (_perSecond, _clock) = (options.Value.Enabled ? options.Value.HubCallsPerSecond : 0, clock);
        _refused = meters.Create(FrontendLimitMeters.Name).CreateCounter<long>(
            "limits.hub_calls_refused", "{call}", "Calls to hubs that came too fast on one connection.");
    }

    public Task OnConnectedAsync(HubLifetimeContext context, Func<HubLifetimeContext, Task> next)
    {
        if (_perSecond > 0)
        {
            context.Context.Features.Set(new CallRate(_perSecond, _clock.TimestampFrequency));
        }

        return next(context);
    }

    public ValueTask<object?> InvokeMethodAsync(
        HubInvocationContext invocationContext, Func<HubInvocationContext, ValueTask<object?>> next)
    {
        if (invocationContext.Context.Features.Get<CallRate>() is { } rate && !rate.TryTake(_clock.GetTimestamp(), out var wait))
        {
            _refused.Add(1);
            if (rate.Refused >= Patience * _perSecond)
            {
                invocationContext.Context.Abort();
            }

            var milliseconds = Math.Ceiling(wait * 1000.0 / _clock.TimestampFrequency);
            throw new HubException(string.Create(
                CultureInfo.InvariantCulture,
                $"Too many calls: a connection may make {_perSecond} in a second. Try again in {milliseconds} ms."));
        }

        return next(invocationContext);
    }
}

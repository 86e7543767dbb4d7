using Marketplace.Limits;
using Marketplace.WebFrontend.Limits.Leases;

namespace Marketplace.Bench.Micro;

/// <summary>A bucket that leases more than a measurement can spend.</summary>
internal sealed class GenerousBucket : IBucketLink
{
    private long _number;

    public Guid Holder { get; } = Guid.NewGuid();

    public int LiveFrontends => 1;

    public IPermitHolder? Callback => null;

    public bool IsDraining => false;

    public long NextNumber() => ++_number;

    public ValueTask<PermitGrant> ExchangeAsync(string bucket, PermitRequest request) => new(new PermitGrant(
        Granted: int.MaxValue / 2,
        Lot: _number,
        EndsIn: TimeSpan.FromDays(1),
        CountsIn: TimeSpan.FromDays(1),
        ResetsIn: TimeSpan.FromDays(1),
        RetryIn: TimeSpan.Zero,
        Remaining: int.MaxValue / 2,
        Limit: int.MaxValue,
        Window: TimeSpan.FromDays(1),
        PolicyVersion: 0,
        InHand: int.MaxValue / 2));

    public ValueTask<bool> HandBackAsync(string bucket, PermitHandBack handBack) => new(true);
}

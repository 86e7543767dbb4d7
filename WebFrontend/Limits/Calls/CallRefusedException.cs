using Marketplace.WebFrontend.Hosting;

namespace Marketplace.WebFrontend.Limits.Calls;

/// <summary>A grain call was not made, since its limit is used up; at the HTTP edge it is a 429. The text may be shown to clients.</summary>
internal sealed class CallRefusedException(BucketLease refusal) : Exception(
    $"The limit \"{refusal.Status.Policy}\" is used up; try again in {ProblemWriter.Seconds(refusal.Status.ResetsIn)} s.")
{
    public BucketLease Lease => refusal;
}

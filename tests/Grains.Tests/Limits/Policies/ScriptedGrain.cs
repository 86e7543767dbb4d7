using System.Collections.Concurrent;
using Marketplace.Limits;

namespace Grains.Tests.Limits.Policies;

/// <summary>A grain whose polls the test answers, one by one.</summary>
internal sealed class ScriptedGrain : ILimitPoliciesGrain
{
    private readonly BlockingCollection<(long Known, TaskCompletionSource<ChangedPolicies?> Answer)> _polls = [];

    public bool IsAsked => _polls.Count > 0;

    public async Task<TaskCompletionSource<ChangedPolicies?>> NextAsync(long knownRevision)
    {
        await Realtime.Eventually.TrueAsync(() => IsAsked);
        var (known, answer) = _polls.Take();
        Assert.Equal(knownRevision, known);
        return answer;
    }

    public ValueTask<ChangedPolicies?> WaitForChange(long knownRevision)
    {
        var answer = new TaskCompletionSource<ChangedPolicies?>(TaskCreationOptions.RunContinuationsAsynchronously);
        _polls.Add((knownRevision, answer));
        return new(answer.Task);
    }

    public ValueTask<IReadOnlyList<PolicyInForce>> List() => throw new NotSupportedException();

    public ValueTask<PolicyChange> Change(string name, IReadOnlyList<int>? expected, LimitPolicyOptions options, string who) =>
        throw new NotSupportedException();

    public ValueTask<PolicyChange> Restore(string name, IReadOnlyList<int>? expected, string who) => throw new NotSupportedException();

    public ValueTask<bool> ResetPartition(string name, string partition, string who) => throw new NotSupportedException();
}

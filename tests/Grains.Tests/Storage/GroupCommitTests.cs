using System.Collections.Concurrent;
using Marketplace.Grains.Storage;
using Marketplace.Trouble;

namespace Grains.Tests.Storage;

public sealed class GroupCommitTests
{
    private const int Broken = -1;

    private readonly ConcurrentQueue<int[]> _batches = new();

    [Fact]
    public async Task What_comes_fast_goes_together_and_each_gets_its_own_answer()
    {
        await using var commit = NewCommit();
        var answers = new List<Task<int>>();
        var startedAt = TimeProvider.System.GetTimestamp();
        for (var i = 0; i < 400; i++)
        {
            answers.Add(commit.ExecuteAsync(i).AsTask());
            SpinWait.SpinUntil(() => TimeProvider.System.GetElapsedTime(startedAt).TotalMilliseconds > i / 2);
        }

        Assert.Equal(Enumerable.Range(0, 400).Select(i => 2 * i), await Task.WhenAll(answers));
        var elapsed = TimeProvider.System.GetElapsedTime(startedAt).TotalMilliseconds;
        Assert.InRange(_batches.Count, 1, (elapsed / 4) + 2); // if each went alone: 400 in little more than 200 ms
    }

    [Fact]
    public async Task A_member_that_fails_fails_alone()
    {
        await using var commit = NewCommit();
        var answers = new[] { 1, Broken, 3 }.Select(operation => commit.ExecuteAsync(operation).AsTask()).ToList();

        Assert.Equal(2, await answers[0]);
        await Assert.ThrowsAsync<FormatException>(() => answers[1]);
        Assert.Equal(6, await answers[2]);
    }

    [Fact]
    public async Task What_waits_when_it_ends_is_carried_out_and_nothing_after_it()
    {
        var commit = NewCommit();
        var answers = Enumerable.Range(0, 1_000).Select(i => commit.ExecuteAsync(i).AsTask()).ToList();
        await commit.DisposeAsync();

        Assert.All(answers, answer => Assert.True(answer.IsCompletedSuccessfully));
        await Assert.ThrowsAsync<UnavailableException>(async () => await commit.ExecuteAsync(1));
    }

    private GroupCommit<int, int> NewCommit() => new(
        operations =>
        {
            _batches.Enqueue([.. operations]);
            return operations.Contains(Broken)
                ? throw new FormatException()
                : Task.FromResult<IReadOnlyList<int>>([.. operations.Select(operation => 2 * operation)]);
        },
        error => error is FormatException);
}

namespace Grains.Tests.Realtime;

/// <summary>Polls until a deadline.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    public static Task TrueAsync(Func<bool> condition) => DoneAsync(() =>
        condition() ? Task.CompletedTask : throw new TimeoutException("The condition never came true."));

    /// <summary>Repeats an action until it throws no more.</summary>
    public static async Task DoneAsync(Func<Task> action)
    {
        for (var startedAt = TimeProvider.System.GetTimestamp(); ;)
        {
            try
            {
                await action();
                return;
            }
            catch (Exception) when (TimeProvider.System.GetElapsedTime(startedAt) < Deadline)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
            }
        }
    }
}

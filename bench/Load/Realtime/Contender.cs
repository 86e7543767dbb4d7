using System.Net.Http.Headers;
using System.Net.Http.Json;
using Marketplace.Bench.Load.Driver;
using Marketplace.Bench.Load.Driver.Workers;
using Marketplace.Bench.Load.Targets;
using Marketplace.Hosting;
using Marketplace.Users;

namespace Marketplace.Bench.Load.Realtime;

/// <summary>A service under measurement and the crowd that uses it.</summary>
internal sealed class Contender : IAsyncDisposable
{
    private static readonly Uri BroadcastPath = new("/api/v1/operations/broadcast", UriKind.Relative);
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan AllWithin = TimeSpan.FromSeconds(60);
    private readonly HttpClient _operator;
    private readonly CancellationToken _stopping;

    private Contender(Target target, Fleet crowd, CancellationToken stopping)
    {
        (Target, Crowd, _stopping) = (target, crowd, stopping);
        _operator = new HttpClient { BaseAddress = crowd.Plan.Targets[0] };
        if (crowd.Plan.TokenKey is { } key)
        {
            using var mint = new AccessTokenMint(key);
            _operator.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", mint.Mint(int.MaxValue, UserRoles.Operator));
        }
    }

    public Target Target { get; }

    public string Name => Target.Name;

    public Fleet Crowd { get; }

    /// <summary>Starts the crowd's workers; nobody is connected yet.</summary>
    public static async Task<Contender> StartAsync(Target target, CrowdPlan plan, CancellationToken stopping) =>
        new(target, await Fleet.StartAsync(plan, stopping), stopping);

    /// <summary>Opens connections of which every one has to be admitted; returns how many a second were.</summary>
    /// <exception cref="StartupException">Not all were: the measurement is void.</exception>
    public async Task<double> ConnectAsync(int count, int atOnce, int receiveBuffer = 0)
    {
        await Crowd.ReportAsync(forgets: true);
        var seconds = await Crowd.OpenAsync(count, atOnce: atOnce, receiveBuffer: receiveBuffer);
        var report = await Crowd.ReportAsync(forgets: false);
        return report.Opened == count
            ? count / seconds
            : throw new StartupException(
                $"{Name} admitted {report.Opened} of {count} connections; {Describe(report)}: the measurement is void.");
    }

    /// <summary>Tells everyone something; returns the milliseconds until the last one has it.</summary>
    /// <exception cref="StartupException">Not everyone got it, exactly once.</exception>
    public async Task<double> BroadcastAsync()
    {
        var before = await Crowd.ReportAsync(forgets: true);
        using (var answer = await _operator.PostAsJsonAsync(
            BroadcastPath, new { text = Crowd.NextBroadcast().ToText() }, _stopping))
        {
            answer.EnsureSuccessStatusCode();
        }

        var startedAt = TimeProvider.System.GetTimestamp();
        CrowdReport report;
        do
        {
            await Task.Delay(LookEvery, TimeProvider.System, _stopping);
            report = await Crowd.ReportAsync(forgets: false);
        }
        while (report.Delivered < before.Live && TimeProvider.System.GetElapsedTime(startedAt) < AllWithin);

        return report.Delivered == before.Live && report.IsFaultless
            ? report.Delivery.LongestMilliseconds
            : throw new StartupException(
                $"{Name}: a broadcast reached {report.Delivered} of {before.Live}; {Describe(report)}: the measurement is void.");
    }

    public async ValueTask DisposeAsync()
    {
        _operator.Dispose();
        await Crowd.DisposeAsync();
    }

    public static string Describe(CrowdReport report) =>
        $"refused {report.Refusals}, "
        + $"{report.Broken} broken, {report.Lost} lost, {report.Missed} missed, {report.Repeated} repeated, {report.Late} out of order, {report.Failed} sends refused";
}

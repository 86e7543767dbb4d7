namespace Marketplace.Bench.Load.Driver.Workers;

/// <summary>A crowd over as many worker processes as it needs, commanded as one.</summary>
internal sealed class Fleet : IAsyncDisposable
{
    /// <summary>Connections of one worker: below the 20,000 open files that a process often may have.</summary>
    public const int ConnectionsPerWorker = 18_000;

    private static readonly TimeSpan QuietFor = TimeSpan.FromSeconds(2);
    private readonly List<WorkerProcess> _workers = [];
    private readonly List<(WorkerProcess Worker, int First, int Count)> _parts = [];
    private readonly CrowdPlan _plan;
    private readonly CancellationToken _stopping;
    private long _broadcasts;

    private Fleet(CrowdPlan plan, CancellationToken stopping) => (_plan, _stopping) = (plan, stopping);

    public IReadOnlyList<int> Pids => [.. _workers.Select(worker => worker.Pid)];

    public CrowdPlan Plan => _plan;

    /// <summary>Connections that were opened or tried since the last <see cref="CloseAsync"/>.</summary>
    public int Count => _parts.Sum(part => part.Count);

    /// <summary>Starts the workers for the plan's connections; none is opened yet.</summary>
    public static async Task<Fleet> StartAsync(CrowdPlan plan, CancellationToken stopping)
    {
        var fleet = new Fleet(plan, stopping);
        var workers = Math.Max(1, (plan.Connections + ConnectionsPerWorker - 1) / ConnectionsPerWorker);
        for (var i = 0; i < workers; i++)
        {
            fleet._workers.Add(await WorkerProcess.StartAsync(plan));
        }

        await fleet.ReportAsync(forgets: false); // answered once they run
        return fleet;
    }

    /// <summary>Opens further connections, numbered on from the last; returns the seconds that it took.</summary>
    public async Task<double> OpenAsync(int count, double perSecond = 0, int atOnce = 64, int receiveBuffer = 0)
    {
        var (from, parts) = (Count, new List<(WorkerProcess Worker, int First, int Count)>());
        for (var i = 0; i < _workers.Count; i++)
        {
            var (first, next) = ((int)((long)count * i / _workers.Count), (int)((long)count * (i + 1) / _workers.Count));
            if (next > first)
            {
                parts.Add((_workers[i], from + first, next - first));
            }
        }

        _parts.AddRange(parts);
        var answers = await Task.WhenAll(parts.Select(part => part.Worker.DoAsync(
            new OpenCommand(
                part.First,
                part.Count,
                perSecond * part.Count / count,
                Math.Max(1, atOnce / parts.Count),
                receiveBuffer),
            _stopping)));
        return answers.Max(answer => answer.Seconds);
    }

    /// <inheritdoc cref="Crowd.JoinAsync"/>
    public async Task<int> JoinAsync(int roomSize, int atOnce = 64)
    {
        var answers = await AllAsync(new JoinCommand(roomSize, atOnce));
        return answers.Sum(answer => answer.Failed);
    }

    /// <inheritdoc cref="Crowd.SendAsync"/>
    public Task SendAsync(int roomSize, int senders, double perSecond, double seconds, int textLength)
    {
        var speaking = _parts.GroupBy(part => part.Worker).Select(parts => (
            Worker: parts.Key,
            Count: parts.Sum(part => Room.CountSpeaking(part.First, part.Count, roomSize, senders)))).ToList();
        var all = speaking.Sum(part => part.Count);
        return Task.WhenAll(speaking.Where(part => part.Count > 0).Select(part => part.Worker.DoAsync(
            new SendCommand(roomSize, senders, perSecond * part.Count / all, seconds, textLength), _stopping)));
    }

    /// <summary>Lets a client read nothing more, or go on.</summary>
    public Task PauseAsync(int client, bool resumes) => AllAsync(new PauseCommand(client, resumes));

    public async Task<CrowdReport> ReportAsync(bool forgets)
    {
        var answers = await AllAsync(new ReportCommand(forgets));
        return CrowdReport.Sum([.. answers.Select(answer => answer.Report!)]);
    }

    /// <summary>Waits until nothing more is delivered: what is under way has come, or never will.</summary>
    public async Task SettleAsync()
    {
        long before, now = -1;
        do
        {
            before = now;
            await Task.Delay(QuietFor, TimeProvider.System, _stopping);
            var report = await ReportAsync(forgets: false);
            now = report.Delivered + report.Echoed + report.Answered + report.Failed;
        }
        while (now != before);
    }

    public async Task<CrowdAccount> AccountAsync()
    {
        var accounts = (await AllAsync(new AccountCommand())).Select(answer => answer.Account!).ToList();
        return new(
            [.. accounts.SelectMany(account => account.Missed)], [.. accounts.SelectMany(account => account.Unanswered)]);
    }

    /// <summary>A stamp for the next message to everyone.</summary>
    public Stamp NextBroadcast() => new(Stamp.Everyone, ++_broadcasts, TimeProvider.System.GetTimestamp());

    public async Task CloseAsync()
    {
        await AllAsync(new CloseCommand());
        _parts.Clear();
    }

    public async ValueTask DisposeAsync() => await Task.WhenAll(_workers.Select(worker => worker.DisposeAsync().AsTask()));

    private Task<WorkerAnswer[]> AllAsync(WorkerCommand command) =>
        Task.WhenAll(_workers.Select(worker => worker.DoAsync(command, _stopping)));
}

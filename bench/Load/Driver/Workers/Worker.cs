using System.Text.Json;
using Marketplace.Hosting;

namespace Marketplace.Bench.Load.Driver.Workers;

/// <summary>
/// A worker process: takes a plan and commands by lines of JSON, answers each when it is done, and ends with its input. There
/// are several because a process may have so many open files only.
/// </summary>
internal static class Worker
{
    public static async Task<int> RunAsync(TextReader input, TextWriter output)
    {
        if (await input.ReadLineAsync() is not { } first || JsonSerializer.Deserialize<CrowdPlan>(first) is not { } plan)
        {
            return MarketplaceProcess.ExitCodeOfBadSettings;
        }

        using var writing = new SemaphoreSlim(1);
        await using var crowd = new Crowd(plan);
        while (await input.ReadLineAsync() is { } line)
        {
            var command = JsonSerializer.Deserialize<WorkerCommand>(line)!;
            _ = Task.Run(async () =>
            {
                var answer = await DoAsync(crowd, command);
                await writing.WaitAsync();
                await output.WriteLineAsync(JsonSerializer.Serialize(answer));
                await output.FlushAsync();
                writing.Release();
            });
        }

        return 0;
    }

    private static async Task<WorkerAnswer> DoAsync(Crowd crowd, WorkerCommand command)
    {
        var done = new WorkerAnswer { Id = command.Id };
        try
        {
            switch (command)
            {
                case OpenCommand open:
                    return done with
                    {
                        Seconds = await crowd.OpenAsync(open.First, open.Count, open.PerSecond, open.AtOnce, open.ReceiveBuffer),
                    };
                case JoinCommand join:
                    return done with { Failed = await crowd.JoinAsync(join.RoomSize, join.AtOnce) };
                case SendCommand send:
                    await crowd.SendAsync(send.RoomSize, send.Senders, send.PerSecond, send.Seconds, send.TextLength);
                    return done;
                case PauseCommand pause:
                    Pause(crowd, pause);
                    return done;
                case ReportCommand report:
                    return done with { Report = crowd.Tally.Report(report.Forgets) };
                case AccountCommand:
                    return done with { Account = AccountOf(crowd) };
                case CloseCommand:
                    await crowd.CloseAsync();
                    return done;
                default:
                    return done with { Error = $"{command.GetType().Name} is not known." };
            }
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            return done with { Error = error.ToString() }; // whoever asked wants to know, and decides
        }
    }

    private static void Pause(Crowd crowd, PauseCommand command)
    {
        foreach (var client in crowd.Clients.Where(client => client.Number == command.Client))
        {
            if (command.Resumes)
            {
                client.Resume();
            }
            else
            {
                client.Pause();
            }
        }
    }

    private static CrowdAccount AccountOf(Crowd crowd) => new(
        [.. crowd.Clients.SelectMany(client => client.Missed.Select(missed => new[] { client.Number, missed.Sender, missed.Number }))],
        [.. crowd.Clients.SelectMany(client => client.Unanswered.Select(number => new[] { client.Number, number }))]);
}

using System.Net.Sockets;
using System.Runtime.InteropServices;
using Marketplace.Bench.Load;
using Marketplace.Bench.Load.Reporting;
using Marketplace.Bench.Load.Scenarios;
using Marketplace.Bench.Load.Targets;
using Marketplace.Hosting;

IScenario[] scenarios = [new Warm(), new Denied(), new Hot(), new Cold(), new Million()];
if (args.Any(arg => arg is "--help" or "-h"))
{
    Console.WriteLine(BenchOptions.Usage);
    foreach (var scenario in scenarios)
    {
        Console.WriteLine($"  {scenario.Name,-10}{scenario.Summary}");
    }

    return 0;
}

using var stopping = new CancellationTokenSource();
using var onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
try
{
    var options = BenchOptions.Parse(args, [.. scenarios.Select(scenario => scenario.Name)]);
    foreach (var scenario in scenarios.Where(scenario => options.Runs(scenario.Name)))
    {
        Console.WriteLine($"== {scenario.Name}: {scenario.Summary}");
        var section = new Section(scenario);
        section.Machine(await Machine.DescribeAsync(stopping.Token)); // first: what is started next makes it busy
        await using (var workbench = new Workbench(options, stopping.Token))
        {
            await scenario.RunAsync(workbench, section);
        }

        Console.WriteLine(section.Text);
        await ReportFile.WriteAsync(options.Results, section, scenarios);
        Console.WriteLine($"Written to {options.Results}");
    }

    return 0;
}
catch (OperationCanceledException) when (stopping.IsCancellationRequested)
{
    Console.WriteLine("Stopped; what had been started has been ended.");
    return 1;
}
catch (StartupException error)
{
    await Console.Error.WriteLineAsync(error.Message);
    return MarketplaceProcess.ExitCodeOfBadSettings;
}
catch (Exception error) when (error is IOException or SocketException or HttpRequestException)
{
    await Console.Error.WriteLineAsync($"A service broke off, and the measurement is void: {error.Message}");
    return 1;
}

void Stop(PosixSignalContext signal)
{
    signal.Cancel = true; // the services run in sessions of their own, and would outlive us
    stopping.Cancel();
}

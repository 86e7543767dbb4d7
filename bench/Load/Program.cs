using System.Net.Sockets;
using System.Runtime.InteropServices;
using Marketplace.Bench.Load.Driver;
using Marketplace.Bench.Load.Driver.Workers;
using Marketplace.Bench.Load.Realtime;
using Marketplace.Bench.Load.Scenarios;
using Marketplace.Hosting;

const string Usage = """
    Measures the marketplace under load. Each command has a --help of its own.
    Usage: Marketplace.Bench.Load command [options]

      limits      what the limiter costs, against itself switched off and against its peers
      realtime    what connections and messages cost, against plain SignalR and Socket.IO
      drive       holds realtime connections to servers that run already, and lets them talk
    """;

using var stopping = new CancellationTokenSource();
using var onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
try
{
    return args switch
    {
        ["limits", .. var rest] => await LimitsSuite.Suite.RunAsync(rest, stopping.Token),
        ["realtime", .. var rest] => await RealtimeSuite.Suite.RunAsync(rest, stopping.Token),
        ["drive", .. var rest] => await Drive.RunAsync(rest, stopping.Token),
        [WorkerProcess.Command] => await Worker.RunAsync(Console.In, Console.Out),
        ["--help" or "-h"] => Help(),
        _ => throw new StartupException("The first argument is limits, realtime or drive; see --help."),
    };
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

static int Help()
{
    Console.WriteLine(Usage);
    return 0;
}

void Stop(PosixSignalContext signal)
{
    signal.Cancel = true; // the services run in sessions of their own, and would outlive us
    stopping.Cancel();
}

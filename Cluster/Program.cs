using System.Runtime.InteropServices;
using Marketplace.Cluster;
using Marketplace.Hosting;

if (args.Any(arg => arg is "--help" or "-h" or "-?"))
{
    Console.WriteLine(ClusterArguments.Usage);
    return 0;
}

var stopping = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
using var starting = new CancellationTokenSource();
using var onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
using var onHangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Stop);
try
{
    await using (await LocalCluster.StartAsync(ClusterArguments.Parse(args), Console.Out, starting.Token))
    {
        await stopping.Task;
        Console.WriteLine("Stopping: frontends, silos, PostgreSQL");
    }

    Console.WriteLine("Stopped");
    return 0;
}
catch (OperationCanceledException) when (starting.IsCancellationRequested)
{
    Console.WriteLine("Stopped while starting");
    return 0;
}
catch (StartupException error)
{
    await Console.Error.WriteLineAsync(error.Message);
    return MarketplaceProcess.ExitCodeOfBadSettings;
}

void Stop(PosixSignalContext signal)
{
    signal.Cancel = true; // the runtime would end this process before the others
    stopping.TrySetResult();
    starting.Cancel();
}

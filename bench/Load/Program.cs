using Marketplace.Bench.Load;
using Marketplace.Hosting;

const string Usage = """
    Measures what the limiter costs: /api/v1/ping with the limiter on against the same with it switched off.
    Usage: Marketplace.Bench.Load [--rounds N] [--seconds N] [--connections N] [--addresses N] [--results FILE]
      --rounds N       rounds, each measuring both in turn; medians are reported (default 3; from 3 to 100)
      --seconds N      length of one measurement (default 10; from 1 to 600)
      --connections N  connections of the load generator, wrk (default 100; from 1 to 10000)
      --addresses N    client addresses, used in turn (default 10000; from 1 to 1000000)
      --results FILE   where the report goes (default bench/results/limiter.md)
    """;

if (args.Any(arg => arg is "--help" or "-h"))
{
    Console.WriteLine(Usage);
    return 0;
}

try
{
    await LimiterBenchmark.RunAsync(BenchmarkOptions.Parse(args));
    return 0;
}
catch (StartupException error)
{
    await Console.Error.WriteLineAsync(error.Message);
    return MarketplaceProcess.ExitCodeOfBadSettings;
}

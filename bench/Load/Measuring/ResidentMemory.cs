using System.Globalization;

namespace Marketplace.Bench.Load.Measuring;

/// <summary>Samples the resident memory of processes once a second, from <c>/proc</c>, and keeps the peaks.</summary>
internal sealed class ResidentMemory : IAsyncDisposable
{
    private const double Megabyte = 1024; // kB, which is what /proc counts in
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private readonly int[] _processIds;
    private readonly double[] _peaks;
    private readonly CancellationTokenSource _ended = new();
    private readonly Task _sampling;

    public ResidentMemory(params int[] processIds)
    {
        (_processIds, _peaks) = (processIds, new double[processIds.Length]);
        Sample();
        _sampling = SampleAsync();
    }

    /// <summary>In megabytes, in the order of the process ids.</summary>
    public IReadOnlyList<double> Peaks => _peaks;

    /// <summary>What a process has at the moment, in megabytes.</summary>
    public static double Of(int processId)
    {
        var line = File.ReadLines($"/proc/{processId.ToString(CultureInfo.InvariantCulture)}/status")
            .First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        return double.Parse(line["VmRSS:".Length..^" kB".Length], CultureInfo.InvariantCulture) / Megabyte;
    }

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        await _sampling;
        _ended.Dispose();
    }

    private async Task SampleAsync()
    {
        using var timer = new PeriodicTimer(Interval, TimeProvider.System);
        try
        {
            while (await timer.WaitForNextTickAsync(_ended.Token))
            {
                Sample();
            }
        }
        catch (OperationCanceledException)
        {
            Sample(); // the end of the run is a moment like any other
        }
    }

    private void Sample()
    {
        for (var i = 0; i < _peaks.Length; i++)
        {
            _peaks[i] = Math.Max(_peaks[i], Of(_processIds[i]));
        }
    }
}

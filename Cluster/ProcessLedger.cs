using System.Globalization;
using Marketplace.Standalone.PrivatePostgres;

namespace Marketplace.Cluster;

/// <summary>
/// Which processes were started, in a file: a supervisor that was killed can't end them, so the next one does. A process
/// is known again by its id and the kernel's time of its start, since the id alone may be another's by then. Where there
/// is no <c>/proc</c> nothing is written, and nothing ended.
/// </summary>
internal sealed class ProcessLedger(string path, TimeProvider clock) : IDisposable
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);
    private readonly SemaphoreSlim _writing = new(1);

    /// <summary>Ends what a former supervisor left running, and begins anew. The caller must own the cluster's directory.</summary>
    public async Task<IReadOnlyList<string>> EndLeftoversAsync(CancellationToken cancellationToken)
    {
        var ended = new List<string>();
        if (File.Exists(path))
        {
            foreach (var line in await File.ReadAllLinesAsync(path, cancellationToken))
            {
                // A line that was cut short is of a start that was cut short as well.
                if (line.Split(' ') is [var id, var mark, var name]
                    && int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var processId)
                    && UnixProcess.IsAlive(processId) && UnixProcess.StartMark(processId) == mark)
                {
                    UnixProcess.Signal(processId, UnixProcess.SigKill);
                    UnixProcess.SignalGroup(processId, UnixProcess.SigKill);
                    ended.Add(name);
                    while (UnixProcess.IsGroupAlive(processId))
                    {
                        await Task.Delay(PollInterval, clock, cancellationToken); // its ports are wanted next
                    }
                }
            }

            File.Delete(path);
        }

        return ended;
    }

    public async Task AddAsync(string name, int processId, CancellationToken cancellationToken)
    {
        if (UnixProcess.StartMark(processId) is not { } mark)
        {
            return;
        }

        await _writing.WaitAsync(cancellationToken);
        try
        {
            await File.AppendAllTextAsync(
                path, string.Create(CultureInfo.InvariantCulture, $"{processId} {mark} {name}\n"), cancellationToken);
        }
        finally
        {
            _writing.Release();
        }
    }

    public void Delete() => File.Delete(path);

    public void Dispose() => _writing.Dispose();
}

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using Marketplace.Hosting;

namespace Marketplace.Bench.Load.Driver.Workers;

/// <summary>One worker process, seen from the one that started it.</summary>
internal sealed class WorkerProcess : IAsyncDisposable
{
    /// <summary>The command of this program that runs a worker.</summary>
    public const string Command = "worker";

    private static readonly TimeSpan EndWithin = TimeSpan.FromSeconds(20);
    private readonly ConcurrentDictionary<int, TaskCompletionSource<WorkerAnswer>> _waiting = new();
    private readonly SemaphoreSlim _writing = new(1);
    private readonly Process _process;
    private readonly Task _reading;
    private int _lastId;

    private WorkerProcess(Process process)
    {
        _process = process;
        _reading = ReadAsync();
    }

    public int Pid => _process.Id;

    public static async Task<WorkerProcess> StartAsync(CrowdPlan plan)
    {
        var start = new ProcessStartInfo(
            Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", "dotnet"),
            [typeof(WorkerProcess).Assembly.Location, Command])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };

        // A message is read where its arrival is noticed: a hand-over to the pool would cost more than reading it.
        start.Environment["DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS"] = "1";
        start.Environment["DOTNET_gcServer"] = "0"; // memory is dear and garbage rare
        var process = Process.Start(start) ?? throw new StartupException("A worker process could not be started.");
        var worker = new WorkerProcess(process);
        await worker.WriteAsync(JsonSerializer.Serialize(plan));
        return worker;
    }

    /// <summary>Has a command done.</summary>
    /// <exception cref="IOException">The worker could not, or has ended.</exception>
    public async Task<WorkerAnswer> DoAsync(WorkerCommand command, CancellationToken cancellationToken)
    {
        var id = Interlocked.Increment(ref _lastId);
        var waiting = new TaskCompletionSource<WorkerAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting[id] = waiting;
        await WriteAsync(JsonSerializer.Serialize(command with { Id = id }));
        if (_reading.IsCompleted)
        {
            Fail();
        }

        var answer = await waiting.Task.WaitAsync(cancellationToken);
        return answer.Error is null ? answer : throw new IOException($"A worker failed: {answer.Error}");
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        using var deadline = new CancellationTokenSource(EndWithin, TimeProvider.System);
        try
        {
            await _process.WaitForExitAsync(deadline.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill();
        }

        await _reading;
        _process.Dispose();
        _writing.Dispose();
    }

    private async Task WriteAsync(string line)
    {
        await _writing.WaitAsync();
        try
        {
            await _process.StandardInput.WriteLineAsync(line);
            await _process.StandardInput.FlushAsync();
        }
        finally
        {
            _writing.Release();
        }
    }

    private async Task ReadAsync()
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (JsonSerializer.Deserialize<WorkerAnswer>(line) is { } answer && _waiting.TryRemove(answer.Id, out var waiting))
            {
                waiting.SetResult(answer);
            }
        }

        Fail();
    }

    private void Fail()
    {
        foreach (var (_, waiting) in _waiting)
        {
            waiting.TrySetException(new IOException("A worker process ended."));
        }
    }
}

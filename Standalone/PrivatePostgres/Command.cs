using System.Diagnostics;

namespace Marketplace.Standalone.PrivatePostgres;

/// <summary>A short-lived program, run to its end.</summary>
/// <param name="ExitCode">Its exit code.</param>
/// <param name="Output">What it wrote to standard output.</param>
/// <param name="Error">What it wrote to standard error.</param>
internal sealed record Command(int ExitCode, string Output, string Error)
{
    public bool Succeeded => ExitCode == 0;

    /// <summary>The last line that the program said, which is where PostgreSQL's tools give the reason.</summary>
    public string Reason => (Error + "\n" + Output).Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
        .LastOrDefault(line => !line.Contains("HINT", StringComparison.Ordinal) && !line.StartsWith("Examine", StringComparison.Ordinal))
        ?? $"exit code {ExitCode}";

    /// <summary>Runs a program; cancelling kills it.</summary>
    public static async Task<Command> RunAsync(IReadOnlyList<string> line, CancellationToken cancellationToken = default)
    {
        // The root directory, since the caller's may be closed to the user that the program runs as.
        var start = new ProcessStartInfo(line[0], line.Skip(1))
        {
            WorkingDirectory = "/",
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("PG", StringComparison.Ordinal)).ToList())
        {
            start.Environment.Remove(name); // PGPORT, PGOPTIONS and the like are about some other server
        }

        start.Environment["LC_ALL"] = "C"; // messages are matched below
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
            var error = process.StandardError.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            return new Command(process.ExitCode, await output, await error);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }
}

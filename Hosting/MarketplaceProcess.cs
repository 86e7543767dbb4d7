using Marketplace.Hosting.Settings;
using Marketplace.Hosting.Stopping;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Marketplace.Hosting;

/// <summary>Runs a process of the service so that a wrong setting ends it with one line instead of a stack trace.</summary>
public static class MarketplaceProcess
{
    /// <summary>The exit code of a process that ended because of its settings or surroundings (sysexits' EX_CONFIG).</summary>
    public const int ExitCodeOfBadSettings = 78;

    /// <summary>
    /// The exit code of a process that waited for PostgreSQL in vain, or had to break off its stop (sysexits' EX_TEMPFAIL): another
    /// start may find everything well.
    /// </summary>
    public const int ExitCodeOfPassingTrouble = 75;

    /// <summary>
    /// Composes, builds and runs an application until it is told to stop. Returns 0 after an orderly stop and
    /// <see cref="ExitCodeOfBadSettings"/> when it could not start for a reason that the operator can mend, or
    /// <see cref="ExitCodeOfPassingTrouble"/> for one that may pass.
    /// </summary>
    /// <param name="args">The command line; <c>--help</c> prints <paramref name="usage"/> and all settings.</param>
    /// <param name="usage">The first lines of the help: what the process is and how it is started.</param>
    /// <param name="compose">Adds the services.</param>
    /// <param name="map">Adds middleware and endpoints.</param>
    /// <param name="surround">
    /// Starts what the process needs around it and may configure it, before <paramref name="compose"/> and not for
    /// <c>--help</c>; what it returns is disposed when the application has stopped. Its token is cancelled when the process is
    /// told to stop; the start may then end as cancelled.
    /// </param>
    public static async Task<int> RunAsync(
        string[] args,
        string usage,
        Action<WebApplicationBuilder> compose,
        Action<WebApplication> map,
        Func<WebApplicationBuilder, CancellationToken, Task<IAsyncDisposable?>>? surround = null)
    {
        using var signals = new StopSignals();
        try
        {
            var wantsHelp = args.Any(arg => arg is "--help" or "-h" or "-?");
            if (!wantsHelp && args.FirstOrDefault(arg => !arg.StartsWith("--", StringComparison.Ordinal)) is { } stray)
            {
                throw new StartupException($"'{stray}' is not understood; settings are written --Section:Name=value, see --help.");
            }

            Array.ForEach(wantsHelp ? [] : args, CommandLineSettings.Check);

            // appsettings.json lies beside the program, wherever it is started from.
            var builder = WebApplication.CreateBuilder(
                new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
            await using var surroundings = wantsHelp || surround is null ? null : await surround(builder, signals.Told);
            builder.Services.AddSingleton(signals);
            builder.Services.AddSingleton<IHostLifetime, SignalLifetime>();
            compose(builder);
            if (wantsHelp)
            {
                SettingsHelp.Write(
                    Console.Out, usage, builder.Services.Select(d => d.ImplementationInstance).OfType<SettingsSection>());
                return 0;
            }

            var app = builder.Build();
            map(app);
            var stopping = app.Lifetime.ApplicationStopping;
            try
            {
                await app.RunAsync();
            }
            catch (Exception error) when (stopping.IsCancellationRequested && IsCancellation(error))
            {
                // Told to stop while it was still starting, for example while a frontend looked for a silo; or told twice.
            }

            return 0;
        }
        catch (OperationCanceledException) when (signals.Told.IsCancellationRequested)
        {
            return 0; // told to stop while what is around it was starting
        }
        catch (Exception error) when (Explain(error) is { } lines)
        {
            foreach (var line in lines)
            {
                await Console.Error.WriteLineAsync(line);
            }

            return MayPass(error) ? ExitCodeOfPassingTrouble : ExitCodeOfBadSettings;
        }
    }

    private static bool IsCancellation(Exception error) => error is OperationCanceledException
        || (error is AggregateException all && all.InnerExceptions.All(IsCancellation));

    private static bool MayPass(Exception error) => error is StartupException { MayPass: true }
        || (error is AggregateException many && many.InnerExceptions.Any(MayPass));

    private static IEnumerable<string>? Explain(Exception error) => error switch
    {
        OptionsValidationException invalid => invalid.Failures,
        StartupException startup => [startup.Message],
        AggregateException { InnerExceptions: [var only] } => Explain(only),
        AggregateException many when many.InnerExceptions.Select(Explain).OfType<IEnumerable<string>>().ToList() is { Count: > 0 } known
            => known.SelectMany(lines => lines).Distinct(),
        IOException { InnerException: AddressInUseException } inUse => [inUse.Message], // Kestrel's, which names the address
        AddressInUseException => ["Silo:SiloPort or Silo:GatewayPort is in use."], // Orleans's; it was free a moment before
        FormatException { Source: "Microsoft.Extensions.Configuration.CommandLine" } arguments => [arguments.Message],
        InvalidDataException { InnerException: FormatException json } => [json.Message],
        _ => null,
    };
}

/// <summary>The process can't start; the message is all that is shown.</summary>
public sealed class StartupException(string message) : Exception(message)
{
    /// <summary>Whether another start may succeed though nobody mends anything. Else an operator has to.</summary>
    public bool MayPass { get; init; }
}

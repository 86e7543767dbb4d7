using Marketplace.Trouble;
using Microsoft.Extensions.Logging;
using Npgsql;
using Orleans.Storage;

namespace Marketplace.Grains.Storage;

/// <summary>
/// Turns failures of the storage into <see cref="UnavailableException"/> before they leave the silo: a frontend has none of
/// the storage's exception types, and their texts (host names, statements) are nobody's business there.
/// </summary>
internal sealed partial class StorageTroubleFilter(ILogger<StorageTroubleFilter> logger) : IIncomingGrainCallFilter
{
    public async Task Invoke(IIncomingGrainCallContext context)
    {
        try
        {
            await context.Invoke();
        }
        catch (Exception error) when (IsStorageTrouble(error))
        {
            LogTrouble(error, context.TargetId, context.MethodName);
            if (error is InconsistentStateException)
            {
                // Orleans ends an activation that was overtaken when it sees this exception, which it now doesn't.
                (context.Grain as IGrainBase)?.DeactivateOnIdle();
            }

            throw new UnavailableException($"{error.GetType().Name} in {context.InterfaceName}.{context.MethodName}");
        }
    }

    private static bool IsStorageTrouble(Exception error) => error switch
    {
        // A statement that is wrong, or data that breaks a rule nobody mapped, is a defect and stays one.
        PostgresException postgres => postgres.IsTransient || postgres.SqlState.StartsWith("57", StringComparison.Ordinal),
        NpgsqlException or InconsistentStateException => true,
        _ => error.InnerException is not null && IsStorageTrouble(error.InnerException),
    };

    [LoggerMessage(LogLevel.Warning, "Storage trouble in {Grain}.{Method}")]
    private partial void LogTrouble(Exception error, GrainId grain, string method);
}

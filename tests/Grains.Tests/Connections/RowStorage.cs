using System.Text.Json;
using Orleans.Storage;

namespace Grains.Tests.Connections;

/// <summary>Rows with etags as PostgreSQL keeps them, and the ways in which it can fail its callers.</summary>
internal sealed class RowStorage : IGrainStorage
{
    private readonly Dictionary<string, (string Json, int Version)> _rows = [];

    public bool IsAway { get; set; }

    /// <summary>The next write takes place and its answer is lost.</summary>
    public bool LosesNextAnswer { get; set; }

    public Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        ThrowIfAway();
        if (_rows.TryGetValue(stateName, out var row))
        {
            grainState.State = JsonSerializer.Deserialize<T>(row.Json)!;
            grainState.ETag = $"{row.Version}";
            grainState.RecordExists = true;
        }

        return Task.CompletedTask;
    }

    public Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        ThrowIfAway();
        var version = _rows.TryGetValue(stateName, out var row) ? $"{row.Version}" : null;
        if (version != grainState.ETag)
        {
            throw new InconsistentStateException("Another writer was first.");
        }

        _rows[stateName] = (JsonSerializer.Serialize(grainState.State), row.Version + 1);
        if (LosesNextAnswer)
        {
            LosesNextAnswer = false;
            throw new TimeoutException("The answer is lost.");
        }

        grainState.ETag = $"{row.Version + 1}";
        return Task.CompletedTask;
    }

    public Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) => throw new NotSupportedException();

    private void ThrowIfAway()
    {
        if (IsAway)
        {
            throw new TimeoutException("PostgreSQL is away.");
        }
    }
}

using System.Collections.Concurrent;
using Orleans.Storage;

namespace Grains.Tests.Realtime;

/// <summary>A storage that outlives every silo of a test cluster, as a database would.</summary>
internal sealed class SharedStorage : IGrainStorage
{
    private readonly ConcurrentDictionary<(string, GrainId), (object State, string Etag)> _rows = [];
    private long _etag;

    public Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        if (_rows.TryGetValue((stateName, grainId), out var row))
        {
            (grainState.State, grainState.ETag, grainState.RecordExists) = ((T)row.State, row.Etag, true);
        }

        return Task.CompletedTask;
    }

    public Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        grainState.ETag = Interlocked.Increment(ref _etag).ToString();
        grainState.RecordExists = true;
        _rows[(stateName, grainId)] = (grainState.State!, grainState.ETag);
        return Task.CompletedTask;
    }

    public Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        _rows.TryRemove((stateName, grainId), out _);
        return Task.CompletedTask;
    }
}

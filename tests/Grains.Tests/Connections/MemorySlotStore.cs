using Marketplace.Grains.Connections.Storage;

namespace Grains.Tests.Connections;

/// <summary>Rows as PostgreSQL keeps them, which outlive activations and silos, and the ways in which it can fail its callers.</summary>
internal sealed class MemorySlotStore : ISlotStore
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, SlotsRow> _rows = [];
    private long _etag;

    /// <summary>The next write takes place and its answer is lost.</summary>
    public bool LosesNextAnswer { get; set; }

    public int Reads { get; private set; }

    public ValueTask<SlotsRow?> ReadAsync(string user)
    {
        lock (_gate)
        {
            Reads++;
            return new(_rows.GetValueOrDefault(user));
        }
    }

    public ValueTask<SlotsWritten> WriteAsync(SlotsWrite write)
    {
        lock (_gate)
        {
            var there = _rows.GetValueOrDefault(write.User);
            if (there?.Etag != write.Etag)
            {
                return new(new SlotsWritten(false, there));
            }

            _rows.Remove(write.User);
            if (write.Slots.Count > 0)
            {
                _rows[write.User] = new(write.Slots, ++_etag);
            }

            if (LosesNextAnswer)
            {
                LosesNextAnswer = false;
                throw new TimeoutException("The answer is lost.");
            }

            return new(new SlotsWritten(true, _rows.GetValueOrDefault(write.User)));
        }
    }
}

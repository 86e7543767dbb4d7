namespace Cluster.Tests.Limits.Storm;

/// <summary>When which process was down, so that a request that was late can be excused, or not.</summary>
internal sealed class Outages
{
    private readonly Lock _gate = new();
    private readonly List<Outage> _all = [];

    /// <summary>Call before the process is struck.</summary>
    public Outage Begin(string name, TimeSpan at)
    {
        var outage = new Outage(name, at);
        lock (_gate)
        {
            _all.Add(outage);
        }

        return outage;
    }

    /// <summary>Whether the process was down at some instant of the two or between them.</summary>
    public bool Touch(string name, TimeSpan from, TimeSpan until)
    {
        lock (_gate)
        {
            return _all.Exists(outage => outage.Name == name && outage.From <= until && (outage.Until ?? TimeSpan.MaxValue) >= from);
        }
    }

    internal sealed class Outage(string name, TimeSpan from)
    {
        public string Name => name;

        public TimeSpan From => from;

        /// <summary>Null while it lasts. Set once, by the one who began it; read late, it excuses a little more.</summary>
        public TimeSpan? Until { get; private set; }

        public void End(TimeSpan at) => Until = at;
    }
}

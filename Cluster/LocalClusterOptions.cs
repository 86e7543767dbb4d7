using Marketplace.Standalone.PrivatePostgres;

namespace Marketplace.Cluster;

/// <summary>What a <see cref="LocalCluster"/> consists of.</summary>
public sealed record LocalClusterOptions
{
    private static readonly IReadOnlyDictionary<string, string> None = new Dictionary<string, string>();

    public int Silos { get; init; } = 3;

    public int Frontends { get; init; } = 2;

    /// <summary>nginx's port; frontends are at the ports after it. 0 takes any free ones.</summary>
    public int Port { get; init; }

    /// <summary>Where the data, logs and nginx's files go.</summary>
    public string Directory { get; init; } = Path.Combine(".data", "cluster");

    /// <summary>Whether nginx runs in front, where it is installed.</summary>
    public bool WithNginx { get; init; } = true;

    /// <summary>Whether a process that ends unasked is started again.</summary>
    public bool RestartsDeadProcesses { get; init; } = true;

    /// <summary>Environment variables for all silos and frontends, such as <c>Limits__Enabled</c>.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = None;

    public IReadOnlyDictionary<string, string> SiloSettings { get; init; } = None;

    public IReadOnlyDictionary<string, string> FrontendSettings { get; init; } = None;

    public PostgresTuning Postgres { get; init; } = PostgresTuning.Durable;

    /// <summary>Where <c>Marketplace.Silo.dll</c> and <c>Marketplace.WebFrontend.dll</c> are.</summary>
    public string ProgramDirectory { get; init; } = AppContext.BaseDirectory;

    /// <summary>How long a process may take until it is ready.</summary>
    public TimeSpan ReadyTimeout { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>How long a process may take to end after SIGTERM before it is killed.</summary>
    public TimeSpan StopTimeout { get; init; } = TimeSpan.FromSeconds(30);

    public TimeProvider Clock { get; init; } = TimeProvider.System;
}

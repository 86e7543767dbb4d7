using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Marketplace.Hosting.Database;

/// <summary>The section <c>Database</c>: how this process reaches PostgreSQL.</summary>
public sealed class DatabaseOptions
{
    public const string Section = "Database";

    [Description("Npgsql connection string, e.g. Host=db;Database=marketplace;Username=app;Password=…")]
    [Required(ErrorMessage = "set it to a PostgreSQL connection string such as Host=localhost;Database=marketplace;Username=app;Password=…")]
    public string ConnectionString { get; set; } = "";

    [Description("Connections kept open by this process.")]
    [Range(0, 1000)]
    public int MinPoolSize { get; set; } = 20;

    [Description("Connections this process opens at most; leave room under PostgreSQL's max_connections for all processes.")]
    [Range(1, 1000)]
    public int MaxPoolSize { get; set; } = 50;

    [Description("How long a caller waits for a free connection.")]
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan PoolTimeout { get; set; } = TimeSpan.FromSeconds(20);

    [Description("How long the process waits at start for PostgreSQL to answer before it gives up.")]
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan StartTimeout { get; set; } = TimeSpan.FromSeconds(60);
}

using Marketplace.Hosting;
using Marketplace.Silo.Hosting;

const string Usage = """
    Marketplace.Silo: an Orleans silo that holds users, rate-limit buckets and connection counters.
    Usage: Marketplace.Silo --Database:ConnectionString=… [--Section:Name=value …]
    """;

return await MarketplaceProcess.RunAsync(
    args,
    Usage,
    compose: builder => builder.AddMarketplaceSilo().AddSiloHealth(),
    map: app => app.MapSiloHealth());

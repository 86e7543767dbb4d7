using Marketplace.Hosting;
using Marketplace.Silo.Hosting;
using Marketplace.Standalone;
using Marketplace.Standalone.PrivatePostgres;
using Marketplace.WebFrontend.Hosting;

const string Usage = """
    Marketplace.Standalone: one silo and one frontend in one process, with a private PostgreSQL in .data/ unless
    Database:ConnectionString names another. The whole service for one machine, or to try it out.
    Usage: Marketplace.Standalone [--Section:Name=value …]
    """;

return await MarketplaceProcess.RunAsync(
    args,
    Usage,
    compose: builder => builder.AddStandaloneSettings().AddMarketplaceSilo().AddMarketplaceFrontend().AddGreeting(),
    map: app => app.UseMarketplaceFrontend(),
    surround: (builder, stop) => builder.UsePrivatePostgresAsync(stop));

using Marketplace.Hosting;
using Marketplace.WebFrontend.Hosting;

const string Usage = """
    Marketplace.WebFrontend: HTTP API and SignalR hubs in front of the silos; keeps no state, start as many as you like.
    Usage: Marketplace.WebFrontend --Database:ConnectionString=… [--Section:Name=value …]
    """;

return await MarketplaceProcess.RunAsync(
    args,
    Usage,
    compose: builder => builder.AddMarketplaceFrontend().AddClusterClient(),
    map: app => app.UseMarketplaceFrontend());

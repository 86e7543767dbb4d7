using Marketplace.Bench.AspNet;
using Marketplace.Hosting.Cluster;
using Marketplace.Hosting.Database;
using Marketplace.Hosting.Settings;
using Marketplace.WebFrontend.Hosting;
using Marketplace.WebFrontend.Realtime;

// The plain peer as one of several processes, with our backplane beneath its hub and nothing else of the marketplace. The
// silos are other processes, found by the database.
var builder = WebApplication.CreateBuilder(args);
var settings = builder.AddPeer();
builder.Services.AddMarketplaceDatabase();
builder.Services.AddSettings<ClusterSettings>(ClusterSettings.Section);
builder.AddClusterClient();
builder.Services.AddSignalR().AddOrleansBackplane();

// One after the other, Kestrel last: a process that answers its health check has found a silo.
builder.Services.Configure<HostOptions>(options => options.ServicesStartConcurrently = false);

var app = builder.Build();
app.UsePeer(settings);
await app.RunAsync();

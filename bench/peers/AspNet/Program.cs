using Marketplace.Bench.AspNet;

// Plain ASP.NET Core: what a frontend costs that has no cluster behind it. It answers as the marketplace's frontend does.
var builder = WebApplication.CreateBuilder(args);
var settings = builder.AddPeer();
var app = builder.Build();
app.UsePeer(settings);
await app.RunAsync();

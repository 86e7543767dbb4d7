using Microsoft.AspNetCore.SignalR;

namespace Marketplace.WebFrontend.Realtime;

/// <summary>Put among a connection's features by whoever needs the hub's view of it, which the backplane sets once it has it.</summary>
internal interface IHubConnectionFeature
{
    HubConnectionContext? Hub { get; set; }
}

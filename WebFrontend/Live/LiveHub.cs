using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.SignalR;

namespace Marketplace.WebFrontend.Live;

/// <summary>What is live: rooms, notifications, presence.</summary>
[Authorize]
public sealed class LiveHub : Hub;

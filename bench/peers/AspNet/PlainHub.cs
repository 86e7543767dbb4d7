using System.Security.Cryptography;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.IdentityModel.Tokens;

namespace Marketplace.Bench.AspNet;

/// <summary>
/// What the marketplace's live hub does, as SignalR comes: its own manager of one server, no caps, no limits. Tokens are checked
/// just as there.
/// </summary>
[Authorize]
internal sealed class PlainHub : Hub
{
    private const string RoomItem = "room";

    public async Task JoinRoom(string room)
    {
        await Groups.AddToGroupAsync(Context.ConnectionId, room);
        Context.Items[RoomItem] = room;
    }

    public Task SendChat(string clientMessageId, string text)
    {
        var room = (string)Context.Items[RoomItem]!;
        return Clients.Group(room).SendAsync("Chat", new { room, from = Context.UserIdentifier, clientMessageId, text, sentAt = SentAt });
    }

    internal static DateTimeOffset SentAt => TimeProvider.System.GetUtcNow();
}

internal static class PlainHubExtensions
{
    public static IServiceCollection AddPlainHub(this IServiceCollection services, PeerSettings settings)
    {
        services.AddSignalR();
        services.AddSingleton<IUserIdProvider, UserFromToken>();
        services.AddAuthorization();
        services.AddAuthentication(JwtBearerDefaults.AuthenticationScheme).AddJwtBearer(options =>
        {
            var key = ECDsa.Create();
            key.ImportSubjectPublicKeyInfo(Convert.FromBase64String(settings.TokenKey!), out _);
            options.MapInboundClaims = false;
            options.SaveToken = false;
            options.TokenValidationParameters = new TokenValidationParameters
            {
                ValidIssuer = "marketplace",
                ValidAudience = "marketplace-api",
                ValidAlgorithms = ["ES256"],
                ValidTypes = ["at+jwt"],
                IssuerSigningKey = new ECDsaSecurityKey(key) { KeyId = settings.TokenKeyId },
                NameClaimType = "sub",
                RoleClaimType = "roles",
            };
        });
        return services;
    }

    public static WebApplication MapPlainHub(this WebApplication app)
    {
        app.UseAuthentication();
        app.UseAuthorization();
        app.MapHub<PlainHub>("/hubs/plain", options => options.Transports = HttpTransportType.WebSockets);
        app.MapPost("/api/v1/operations/broadcast", BroadcastAsync).RequireAuthorization();
        return app;
    }

    private static async Task<IResult> BroadcastAsync(BroadcastRequest request, IHubContext<PlainHub> hub)
    {
        await hub.Clients.All.SendAsync("Broadcast", new { text = request.Text, sentAt = PlainHub.SentAt });
        return TypedResults.Accepted((string?)null);
    }

    private sealed record BroadcastRequest(string Text);

    private sealed class UserFromToken : IUserIdProvider
    {
        public string? GetUserId(HubConnectionContext connection) => connection.User.FindFirst("sub")?.Value;
    }
}

using Marketplace.Realtime.Presence;
using Marketplace.WebFrontend.Realtime.Presence;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;

namespace WebFrontend.Tests.Realtime;

public sealed class LocalPlacesTests
{
    [Fact]
    public async Task What_is_to_be_reported_anew_is_so_although_a_report_is_under_way()
    {
        using var connection = new PipedConnection();
        var reporting = new TaskCompletionSource<LocalPlace>();
        var places = new LocalPlaces
        {
            Report = place =>
            {
                reporting.SetResult(place);
                return Task.CompletedTask;
            },
        };
        places.Enter("room", connection.Local, (_, _) => new SerializedHubMessage(new InvocationMessage("Presence", [])));
        var place = await reporting.Task;
        var report = places.ReportOf("room")!;

        places.ReportAll(); // under a new lease, say: the grain has the report under the old one

        Assert.False(places.IsReported(place, report.Version));
        Assert.True(places.IsReported(place, places.ReportOf("room")!.Version));
    }

    [Fact]
    public async Task Who_enters_is_told_what_is_known_though_it_changes_nothing_for_others()
    {
        using var crowd = new PipedConnection();
        using var newcomer = new PipedConnection(id: "c-2");
        var places = new LocalPlaces { Report = _ => Task.CompletedTask };
        places.Enter("room", crowd.Local, Message);
        places.Tell("room", new(Epoch: 1, Version: 7, Count: 300, Users: []));

        places.Enter("room", newcomer.Local, Message);
        places.Enter("room", newcomer.Local, Message); // is there already

        Assert.Equal([7], PipedConnection.NumbersIn(await newcomer.ReadAllAsync()));
        Assert.Equal([7], PipedConnection.NumbersIn(await crowd.ReadAllAsync()));

        static SerializedHubMessage Message(string key, PresenceState state) => PipedConnection.Message((int)state.Version, bytes: 100);
    }
}

using CsCheck;

namespace Grains.Tests.Connections;

public sealed class CapProperties
{
    private static readonly Gen<(int What, int Which)[]> Schedules = Steps(ClusterModel.OfTheTotal + 50);

    private static readonly Gen<(int What, int Which)[]> CalmSchedules = Steps(ClusterModel.OfTheTotal);

    [Fact]
    public void Whatever_happens_no_lease_is_void_while_its_frontend_relies_on_it_and_the_total_holds_and_nothing_leaks() =>
        Schedules.Sample(
            schedule =>
            {
                var cluster = new ClusterModel();
                foreach (var (what, which) in schedule)
                {
                    cluster.Step(what, which);
                    FailUpon(cluster.FindViolation());
                }

                FailUpon(cluster.FindLeakOnceQuiet());
            },
            iter: 5_000, threads: 2);

    [Fact]
    public void With_every_process_alive_nobody_is_refused_while_any_frontend_holds_a_connection_that_is_not_in_use() =>
        CalmSchedules.Sample(
            schedule =>
            {
                var cluster = new ClusterModel();
                foreach (var (what, which) in schedule)
                {
                    cluster.CalmStep(what, which);
                    FailUpon(cluster.FindViolation() ?? cluster.FindWrongRefusal());
                }
            },
            iter: 5_000, threads: 2);

    private static Gen<(int What, int Which)[]> Steps(int kinds) =>
        Gen.Select(Gen.Int[0, kinds - 1], Gen.Int[0, 999]).Array[20, 600];

    private static void FailUpon(string? finding)
    {
        if (finding is not null)
        {
            Assert.Fail(finding);
        }
    }
}

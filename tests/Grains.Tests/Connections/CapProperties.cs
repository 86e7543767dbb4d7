using CsCheck;

namespace Grains.Tests.Connections;

public sealed class CapProperties
{
    private static readonly Gen<(int What, int Which)[]> Schedules =
        Gen.Select(Gen.Int[0, 99], Gen.Int[0, 999]).Array[20, 600];

    [Fact]
    public void Whatever_happens_no_lease_is_void_while_its_frontend_relies_on_it_and_the_total_holds_and_nothing_leaks() =>
        Schedules.Sample(
            schedule =>
            {
                var cluster = new ClusterModel();
                foreach (var (what, which) in schedule)
                {
                    cluster.Step(what, which);
                    if (cluster.FindViolation() is { } violation)
                    {
                        Assert.Fail(violation);
                    }
                }

                if (cluster.FindLeakOnceQuiet() is { } leak)
                {
                    Assert.Fail(leak);
                }
            },
            iter: 5_000, threads: 2);
}

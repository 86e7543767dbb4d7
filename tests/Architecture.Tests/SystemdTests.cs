using System.Globalization;
using Marketplace.Hosting;

namespace Architecture.Tests;

/// <summary>What the units of <c>deploy/systemd</c> take for granted of the processes.</summary>
public sealed class SystemdTests
{
    public static TheoryData<string> Units => [.. Directory.GetFiles(Path.Combine(Repository.Root, "deploy", "systemd")).Select(path => Path.GetFileName(path))];

    [Theory]
    [MemberData(nameof(Units))]
    public void A_process_is_started_again_unless_its_settings_are_wrong_and_has_the_time_to_stop_that_it_needs(string unit)
    {
        var lines = File.ReadAllLines(Path.Combine(Repository.Root, "deploy", "systemd", unit));

        Assert.Contains("Restart=always", lines);
        Assert.Contains("StartLimitIntervalSec=0", lines);
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"RestartPreventExitStatus={MarketplaceProcess.ExitCodeOfBadSettings}"), lines);
        var seconds = lines.Single(line => line.StartsWith("TimeoutStopSec=", StringComparison.Ordinal)).Split('=')[1];
        Assert.InRange(int.Parse(seconds, CultureInfo.InvariantCulture), 31, 90);
    }
}

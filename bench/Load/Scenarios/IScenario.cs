using Marketplace.Bench.Load.Reporting;
using Marketplace.Bench.Load.Targets;

namespace Marketplace.Bench.Load.Scenarios;

/// <summary>One question about the limiter, and how it is answered.</summary>
internal interface IScenario
{
    /// <summary>As <c>--scenario</c> takes it.</summary>
    string Name { get; }

    /// <summary>What is measured, in a line or two.</summary>
    string Summary { get; }

    /// <summary>Starts what it needs on the workbench, which ends it, and writes what it found into the section.</summary>
    Task RunAsync(Workbench workbench, Section section);
}

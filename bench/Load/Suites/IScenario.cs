using Marketplace.Bench.Load.Reporting;
using Marketplace.Bench.Load.Targets;

namespace Marketplace.Bench.Load.Suites;

/// <summary>One question, and how it is answered.</summary>
internal interface IScenario
{
    /// <summary>As <c>--scenario</c> takes it.</summary>
    string Name { get; }

    /// <summary>What is measured, in a line or two.</summary>
    string Summary { get; }
}

/// <inheritdoc/>
internal interface IScenario<TOptions> : IScenario
{
    /// <summary>Starts what it needs on the workbench, which ends it, and writes what it found into the section.</summary>
    Task RunAsync(Workbench<TOptions> workbench, Section section);
}

/// <summary>The options that every suite has.</summary>
internal interface ISuiteOptions
{
    /// <summary>The report's file.</summary>
    string Results { get; }

    bool Runs(string scenario);
}

using System.Text.Json.Serialization;

namespace Marketplace.Bench.Load.Driver.Workers;

/// <summary>A line to a worker process. The first line of all is its <see cref="CrowdPlan"/>.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "do")]
[JsonDerivedType(typeof(OpenCommand), "open")]
[JsonDerivedType(typeof(JoinCommand), "join")]
[JsonDerivedType(typeof(SendCommand), "send")]
[JsonDerivedType(typeof(PauseCommand), "pause")]
[JsonDerivedType(typeof(ReportCommand), "report")]
[JsonDerivedType(typeof(AccountCommand), "account")]
[JsonDerivedType(typeof(CloseCommand), "close")]
internal abstract record WorkerCommand
{
    /// <summary>The answer has the same.</summary>
    public int Id { get; init; }
}

/// <inheritdoc cref="Crowd.OpenAsync"/>
internal sealed record OpenCommand(int First, int Count, double PerSecond, int AtOnce, int ReceiveBuffer) : WorkerCommand;

/// <inheritdoc cref="Crowd.JoinAsync"/>
internal sealed record JoinCommand(int RoomSize, int AtOnce) : WorkerCommand;

/// <inheritdoc cref="Crowd.SendAsync"/>
internal sealed record SendCommand(int RoomSize, int Senders, double PerSecond, double Seconds, int TextLength) : WorkerCommand;

/// <summary>Lets the client of that number read nothing more, or go on.</summary>
internal sealed record PauseCommand(int Client, bool Resumes) : WorkerCommand;

/// <param name="Forgets">Whether what is reported is forgotten by that.</param>
internal sealed record ReportCommand(bool Forgets) : WorkerCommand;

/// <summary>Asks which messages are missing, and which were never acknowledged.</summary>
internal sealed record AccountCommand : WorkerCommand;

internal sealed record CloseCommand : WorkerCommand;

/// <summary>A worker's line in return, when the command is done.</summary>
internal sealed record WorkerAnswer
{
    public int Id { get; init; }

    /// <summary>Why the command could not be done.</summary>
    public string? Error { get; init; }

    public CrowdReport? Report { get; init; }

    public CrowdAccount? Account { get; init; }

    /// <summary>Of opening: how long it took.</summary>
    public double Seconds { get; init; }

    /// <summary>Of a join: how many were refused.</summary>
    public int Failed { get; init; }
}

/// <summary>Messages by sender and number, for whoever wants to know whether an acknowledged one is missing.</summary>
/// <param name="Missed">Numbers jumped over by a receiver: its own number, the sender's, the message's.</param>
/// <param name="Unanswered">Sends without an acknowledgement: the sender's number, the message's.</param>
internal sealed record CrowdAccount(IReadOnlyList<long[]> Missed, IReadOnlyList<long[]> Unanswered);

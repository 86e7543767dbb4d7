using System.Collections.Immutable;
using System.Data;
using System.Text.Json;
using System.Text.Json.Serialization;
using Marketplace.Limits;
using Npgsql;

namespace Marketplace.Grains.Limits.Policies;

/// <summary>What operators have changed, in PostgreSQL, with who did it.</summary>
internal sealed class LimitPolicyStore(NpgsqlDataSource dataSource)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter() } };

    /// <summary>Reads all of it, as of one moment.</summary>
    public async Task<ChangedPolicies> ReadAsync()
    {
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead);
        await using var revision = Command(connection, "SELECT revision FROM limit_revision");
        var changed = ChangedPolicies.None with { Revision = (long)(await revision.ExecuteScalarAsync())! };
        var policies = changed.Policies.ToBuilder();
        await using (var command = Command(connection, "SELECT name, version, policy::text FROM limit_policies"))
        await using (var reader = await command.ExecuteReaderAsync())
        {
            while (await reader.ReadAsync())
            {
                policies[reader.GetString(0)] = new(reader.GetInt32(1), await reader.IsDBNullAsync(2) ? null : Parse(reader.GetString(2)));
            }
        }

        var resets = ImmutableArray.CreateBuilder<PartitionReset>();
        await using (var command = Command(
            connection,
            "SELECT revision, policy, partition FROM limit_policy_changes WHERE partition IS NOT NULL ORDER BY revision DESC LIMIT $1",
            ChangedPolicies.ResetsMax))
        await using (var reader = await command.ExecuteReaderAsync())
        {
            while (await reader.ReadAsync())
            {
                resets.Add(new(reader.GetInt64(0), new BucketKey(reader.GetString(1), reader.GetString(2)).ToString()));
            }
        }

        resets.Reverse();
        return changed with { Policies = policies.ToImmutable(), Resets = resets.ToImmutable() };
    }

    /// <summary>Writes a change and its record, or neither.</summary>
    /// <returns>False when another activation has written since <see cref="PolicyWrite.Revision"/>.</returns>
    public async Task<bool> TryWriteAsync(PolicyWrite write)
    {
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        if (await ExecuteAsync(
            connection, "UPDATE limit_revision SET revision = revision + 1 WHERE revision = $1", write.Revision) != 1)
        {
            return false;
        }

        if (write.Changed is { } changed && await ExecuteAsync(
            connection,
            """
            INSERT INTO limit_policies AS known (name, version, policy) VALUES ($1, $2, $3::jsonb)
            ON CONFLICT (name) DO UPDATE SET version = excluded.version, policy = excluded.policy
            WHERE known.version = excluded.version - 1
            """,
            write.Policy, changed.Version, Text(changed.Options)) != 1)
        {
            return false;
        }

        await ExecuteAsync(
            connection,
            """
            INSERT INTO limit_policy_changes (revision, changed_by, action, policy, version, partition, old_policy, new_policy)
            VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, $8::jsonb)
            """,
            write.Revision + 1, write.Who, write.Action, write.Policy, write.Version, write.Partition, Text(write.Old), Text(write.New));
        await transaction.CommitAsync();
        return true;
    }

    private static async Task<int> ExecuteAsync(NpgsqlConnection connection, string sql, params object?[] values)
    {
        await using var command = Command(connection, sql, values);
        return await command.ExecuteNonQueryAsync();
    }

    private static NpgsqlCommand Command(NpgsqlConnection connection, string sql, params object?[] values)
    {
        var command = new NpgsqlCommand(sql, connection);
        command.Parameters.AddRange(Array.ConvertAll(values, value => new NpgsqlParameter { Value = value ?? DBNull.Value }));
        return command;
    }

    private static LimitPolicyOptions? Parse(string json) => JsonSerializer.Deserialize<LimitPolicyOptions>(json, Json);

    private static string? Text(LimitPolicyOptions? options) => options is null ? null : JsonSerializer.Serialize(options, Json);
}

/// <summary>One change by an operator.</summary>
/// <param name="Revision">The revision that the writer has seen last.</param>
/// <param name="Who">The operator.</param>
/// <param name="Action"><c>change</c>, <c>restore</c> or <c>reset-partition</c>.</param>
/// <param name="Policy">The policy's name.</param>
/// <param name="Version">The policy's version afterwards.</param>
/// <param name="Changed">What is stored of the policy; null when it stays as it is.</param>
/// <param name="Partition">The partition that is reset.</param>
/// <param name="Old">For the record: what was in force.</param>
/// <param name="New">For the record: what is in force then.</param>
internal sealed record PolicyWrite(
    long Revision,
    string Who,
    string Action,
    string Policy,
    int Version,
    ChangedPolicy? Changed = null,
    string? Partition = null,
    LimitPolicyOptions? Old = null,
    LimitPolicyOptions? New = null);

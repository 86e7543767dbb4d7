-- What Orleans' AdoNet providers ask of a database: membership of the cluster, grain state, and the statements by which
-- they reach both. Orleans reads orleansquery once, at start, and calls its statements by key; parameters are bound by
-- name and columns are read by name. Orleans lower-cases nothing: names here are unquoted, so PostgreSQL folds both sides.

CREATE TABLE orleansquery (
  querykey  varchar(64)   PRIMARY KEY,
  querytext varchar(8000) NOT NULL
);

-- Membership -------------------------------------------------------------------------------------------------------------

-- One row a cluster. Its version orders all changes: whoever changes a member must move it from the value it read.
CREATE TABLE orleansmembershipversion (
  deploymentid varchar(150) PRIMARY KEY,
  version      integer      NOT NULL DEFAULT 0,
  changed_at   timestamptz  NOT NULL DEFAULT now()
);

CREATE TABLE orleansmembership (
  deploymentid varchar(150) NOT NULL REFERENCES orleansmembershipversion,
  address      varchar(45)  NOT NULL,
  port         integer      NOT NULL,
  generation   integer      NOT NULL,
  siloname     varchar(150) NOT NULL,
  hostname     varchar(150) NOT NULL,
  status       integer      NOT NULL,
  proxyport    integer      NOT NULL,
  suspecttimes varchar(8000),
  starttime    timestamptz  NOT NULL,
  iamalivetime timestamptz  NOT NULL,
  PRIMARY KEY (deploymentid, address, port, generation)
);

-- Every statement below is one statement: it takes effect as a whole or not at all. The row lock on the version row, taken
-- by its UPDATE, makes the second of two concurrent changes see the moved version and do nothing.

INSERT INTO orleansquery (querykey, querytext) VALUES
('InsertMembershipVersionKey', '
  WITH added AS (
    INSERT INTO orleansmembershipversion (deploymentid) VALUES (@DeploymentId) ON CONFLICT DO NOTHING RETURNING 1)
  SELECT count(*)::int FROM added'),

('InsertMembershipKey', '
  WITH moved AS (
    UPDATE orleansmembershipversion SET version = version + 1, changed_at = now()
    WHERE deploymentid = @DeploymentId AND version = @Version AND NOT EXISTS (
      SELECT 1 FROM orleansmembership m
      WHERE m.deploymentid = @DeploymentId AND m.address = @Address AND m.port = @Port AND m.generation = @Generation)
    RETURNING deploymentid),
  added AS (
    INSERT INTO orleansmembership
      (deploymentid, address, port, generation, siloname, hostname, status, proxyport, starttime, iamalivetime)
    SELECT deploymentid, @Address, @Port, @Generation, @SiloName, @HostName, @Status, @ProxyPort, @StartTime, @IAmAliveTime
    FROM moved
    RETURNING 1)
  SELECT count(*)::int FROM added'),

('UpdateMembershipKey', '
  WITH moved AS (
    UPDATE orleansmembershipversion SET version = version + 1, changed_at = now()
    WHERE deploymentid = @DeploymentId AND version = @Version AND EXISTS (
      SELECT 1 FROM orleansmembership m
      WHERE m.deploymentid = @DeploymentId AND m.address = @Address AND m.port = @Port AND m.generation = @Generation)
    RETURNING deploymentid),
  changed AS (
    UPDATE orleansmembership m SET status = @Status, suspecttimes = @SuspectTimes, iamalivetime = @IAmAliveTime
    FROM moved
    WHERE m.deploymentid = moved.deploymentid AND m.address = @Address AND m.port = @Port AND m.generation = @Generation
    RETURNING 1)
  SELECT count(*)::int FROM changed'),

('UpdateIAmAlivetimeKey', '
  UPDATE orleansmembership SET iamalivetime = @IAmAliveTime
  WHERE deploymentid = @DeploymentId AND address = @Address AND port = @Port AND generation = @Generation'),

-- The outer join brings the version back even when no member matches.
('MembershipReadRowKey', '
  SELECT v.deploymentid, m.address, m.port, m.generation, m.siloname, m.hostname, m.status, m.proxyport, m.suspecttimes,
         m.starttime, m.iamalivetime, v.version
  FROM orleansmembershipversion v
  LEFT JOIN orleansmembership m
    ON m.deploymentid = v.deploymentid AND m.address = @Address AND m.port = @Port AND m.generation = @Generation
  WHERE v.deploymentid = @DeploymentId'),

('MembershipReadAllKey', '
  SELECT v.deploymentid, m.address, m.port, m.generation, m.siloname, m.hostname, m.status, m.proxyport, m.suspecttimes,
         m.starttime, m.iamalivetime, v.version
  FROM orleansmembershipversion v LEFT JOIN orleansmembership m ON m.deploymentid = v.deploymentid
  WHERE v.deploymentid = @DeploymentId'),

('GatewaysQueryKey', '
  SELECT address, proxyport, generation FROM orleansmembership
  WHERE deploymentid = @DeploymentId AND status = @Status AND proxyport > 0'),

('DeleteMembershipTableEntriesKey', '
  WITH members AS (DELETE FROM orleansmembership WHERE deploymentid = @DeploymentId)
  DELETE FROM orleansmembershipversion WHERE deploymentid = @DeploymentId'),

('CleanupDefunctSiloEntriesKey', '
  DELETE FROM orleansmembership
  WHERE deploymentid = @DeploymentId AND iamalivetime < @IAmAliveTime AND status <> 3 /* Active */');

-- Grain state ------------------------------------------------------------------------------------------------------------

CREATE TABLE orleansstorage (
  grainidhash            integer      NOT NULL,
  grainidn0              bigint       NOT NULL,
  grainidn1              bigint       NOT NULL,
  graintypehash          integer      NOT NULL,
  graintypestring        varchar(512) NOT NULL,
  grainidextensionstring varchar(512),
  serviceid              varchar(150) NOT NULL,
  payloadbinary          bytea,
  modifiedon             timestamptz  NOT NULL DEFAULT now(),
  version                integer      NOT NULL,

  -- Without it two concurrent first writes leave two rows and the grain can never be read again. A grain keyed by a guid or
  -- a number has no extension, and two such nulls are the same key.
  CONSTRAINT orleansstorage_key UNIQUE NULLS NOT DISTINCT
    (grainidhash, graintypehash, grainidn0, grainidn1, grainidextensionstring, graintypestring, serviceid)
) WITH (fillfactor = 80); -- room for updates within the page (HOT): states are rewritten often and their keys never change

-- The version is the etag. A writer that lost gets the version that it passed in, by which Orleans knows that it lost. A row
-- begins at a random version: one that was deleted and came back must not match what an activation that slept through both
-- still holds.
INSERT INTO orleansquery (querykey, querytext) VALUES
('ReadFromStorageKey', '
  SELECT payloadbinary, version FROM orleansstorage
  WHERE grainidhash = @GrainIdHash AND graintypehash = @GrainTypeHash AND grainidn0 = @GrainIdN0 AND grainidn1 = @GrainIdN1
    AND grainidextensionstring IS NOT DISTINCT FROM @GrainIdExtensionString AND graintypestring = @GrainTypeString
    AND serviceid = @ServiceId'),

('WriteToStorageKey', '
  WITH updated AS (
    UPDATE orleansstorage SET payloadbinary = @PayloadBinary, modifiedon = now(), version = version + 1
    WHERE grainidhash = @GrainIdHash AND graintypehash = @GrainTypeHash AND grainidn0 = @GrainIdN0 AND grainidn1 = @GrainIdN1
      AND grainidextensionstring IS NOT DISTINCT FROM @GrainIdExtensionString AND graintypestring = @GrainTypeString
      AND serviceid = @ServiceId AND version = @GrainStateVersion
    RETURNING version),
  inserted AS (
    INSERT INTO orleansstorage (grainidhash, grainidn0, grainidn1, graintypehash, graintypestring, grainidextensionstring,
      serviceid, payloadbinary, version)
    SELECT @GrainIdHash, @GrainIdN0, @GrainIdN1, @GrainTypeHash, @GrainTypeString, @GrainIdExtensionString, @ServiceId,
      @PayloadBinary, 1 + floor(random() * 1000000000)::int
    WHERE @GrainStateVersion IS NULL
    ON CONFLICT DO NOTHING
    RETURNING version)
  SELECT coalesce((SELECT version FROM updated), (SELECT version FROM inserted), @GrainStateVersion) AS newgrainstateversion'),

('ClearStorageKey', '
  WITH cleared AS (
    UPDATE orleansstorage SET payloadbinary = NULL, modifiedon = now(), version = version + 1
    WHERE grainidhash = @GrainIdHash AND graintypehash = @GrainTypeHash AND grainidn0 = @GrainIdN0 AND grainidn1 = @GrainIdN1
      AND grainidextensionstring IS NOT DISTINCT FROM @GrainIdExtensionString AND graintypestring = @GrainTypeString
      AND serviceid = @ServiceId AND version = @GrainStateVersion
    RETURNING version)
  SELECT coalesce((SELECT version FROM cleared), @GrainStateVersion) AS newgrainstateversion'),

('DeleteStorageKey', '
  WITH deleted AS (
    DELETE FROM orleansstorage
    WHERE grainidhash = @GrainIdHash AND graintypehash = @GrainTypeHash AND grainidn0 = @GrainIdN0 AND grainidn1 = @GrainIdN1
      AND grainidextensionstring IS NOT DISTINCT FROM @GrainIdExtensionString AND graintypestring = @GrainTypeString
      AND serviceid = @ServiceId AND version = @GrainStateVersion
    RETURNING version)
  SELECT coalesce((SELECT version + 1 FROM deleted), @GrainStateVersion) AS newgrainstateversion');

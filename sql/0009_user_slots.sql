-- The slots of a user's connections in a table of their own, so that many users' are written in one statement.

-- What was kept before is void: it belongs to leases of frontends that stop for this version.
DROP VIEW connection_slots;
DELETE FROM orleansstorage WHERE graintypestring = 'user-connections';

CREATE TABLE user_slots (
  user_id text PRIMARY KEY,
  slots   jsonb NOT NULL, -- [{"connection", "epoch", "since", "transport"}, …], the oldest first
  etag    bigint NOT NULL
) WITH (fillfactor = 70); -- a row is rewritten with every connection

COMMENT ON TABLE user_slots IS 'Who is connected, and the frontend lease that each connection is held under; a user without a connection has no row';

CREATE SEQUENCE user_slots_etag;

-- Writes the slots of many users; null deletes a row. Each is fenced: by the etag that its writer saw, or by there being no row if
-- it saw none. For every user it returns the new etag, or null and the row that is there instead; neither when another writer was
-- there at this very moment. Two silos that know the same two users, which is so only while the cluster finds out that a silo is
-- dead, may deadlock; then both are told to try again.
--
-- As with open_limit_buckets, each row is looked up in the primary key whatever the planner believes of the table.
CREATE FUNCTION write_user_slots(users text[], slots text[], etags bigint[])
RETURNS TABLE (user_id text, written_etag bigint, other_etag bigint, other_slots text)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  WITH input AS MATERIALIZED (
    SELECT user_id, slots::jsonb AS slots, etag FROM unnest(users, slots, etags) AS input (user_id, slots, etag) ORDER BY user_id),
  inserted AS (
    INSERT INTO user_slots AS stored (user_id, slots, etag)
    SELECT user_id, slots, nextval('user_slots_etag') FROM input WHERE etag IS NULL AND slots IS NOT NULL
    ON CONFLICT DO NOTHING
    RETURNING stored.user_id, stored.etag),
  updated AS (
    UPDATE user_slots stored SET slots = input.slots, etag = nextval('user_slots_etag')
    FROM input
    WHERE stored.user_id = input.user_id AND stored.etag = input.etag AND input.slots IS NOT NULL
    RETURNING stored.user_id, stored.etag),
  deleted AS (
    DELETE FROM user_slots stored USING input
    WHERE stored.user_id = input.user_id AND stored.etag = input.etag AND input.slots IS NULL
    RETURNING stored.user_id, stored.etag),
  written AS MATERIALIZED (SELECT * FROM inserted UNION ALL SELECT * FROM updated UNION ALL SELECT * FROM deleted)
  SELECT user_id, written.etag, NULL::bigint, NULL::text FROM written
  UNION ALL
  SELECT stored.user_id, NULL, stored.etag, stored.slots::text
  FROM input JOIN user_slots stored USING (user_id)
  WHERE NOT EXISTS (SELECT FROM written WHERE written.user_id = input.user_id);
END
$$;

CREATE VIEW connection_slots AS
SELECT stored.user_id, (slot ->> 'connection')::uuid AS connection_id, lease.serviceid, lease.epoch, lease.frontend,
       (slot ->> 'since')::timestamptz AS since
FROM user_slots stored
CROSS JOIN jsonb_array_elements(stored.slots) AS slot
JOIN frontend_leases lease ON lease.epoch = (slot ->> 'epoch')::bigint;

-- Opening buckets by their keys and by nothing else, whatever the planner believes of the table.

-- A prepared plan outlives the table it was made for: one that was made while there were ten buckets reads all of a million, until
-- the next ANALYZE. So what may be chosen is settled here: a look into the primary key for each bucket of the batch.
--
-- Rows are locked in the order of their keys, so that two silos with overlapping batches can't deadlock. What the last part reads
-- is the table as it was before; a hand-over counts only for the one whose statement took it out.
CREATE FUNCTION open_limit_buckets(keys text[], states text[], lives interval[])
RETURNS TABLE (key text, etag bigint, existed boolean, state bigint[], age interval, hand_over text)
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
    SELECT key, state::bigint[] AS state, life FROM unnest(keys, states, lives) AS input (key, state, life) ORDER BY key),
  opened AS (
    INSERT INTO limit_buckets AS bucket (key, state, etag, written_at, expires_at)
    SELECT key, state, nextval('limit_bucket_etag'), now(), now() + life FROM input
    ON CONFLICT (key) DO UPDATE SET
      state = excluded.state, etag = excluded.etag, previous_etag = NULL, written_at = excluded.written_at,
      expires_at = excluded.expires_at, hand_over = NULL
    WHERE bucket.expires_at <= now()
    RETURNING key, etag),
  taken AS (
    UPDATE limit_buckets bucket SET hand_over = NULL, etag = nextval('limit_bucket_etag')
    FROM input
    WHERE bucket.key = input.key AND bucket.hand_over IS NOT NULL AND bucket.expires_at - now() > interval '0'
    RETURNING bucket.key, bucket.etag)
  SELECT key, etag, false, NULL::bigint[], NULL::interval, NULL::text FROM opened
  UNION ALL
  SELECT bucket.key, coalesce(taken.etag, bucket.etag), true, bucket.state, now() - bucket.written_at,
    CASE WHEN taken.key IS NOT NULL THEN bucket.hand_over::text END
  FROM input JOIN limit_buckets bucket USING (key) LEFT JOIN taken USING (key)
  WHERE bucket.expires_at - now() > interval '0'; -- written so that the index on expires_at is of no use for it
END
$$;

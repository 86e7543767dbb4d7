-- Channels that keep what they carried (rooms' chat, users' inboxes), so that a client that was away gets what it missed.

CREATE SEQUENCE channel_epoch;

CREATE TABLE channels (
  name         text   PRIMARY KEY,
  epoch        bigint NOT NULL DEFAULT nextval('channel_epoch'), -- names the run of numbers; another after the row was deleted
  first_number bigint NOT NULL DEFAULT 1,                        -- of the oldest message kept; last_number + 1 when none is
  last_number  bigint NOT NULL DEFAULT 0,                        -- whoever appends must name it: the fence between two activations
  bytes        bigint NOT NULL DEFAULT 0                         -- of the arguments kept
);

CREATE TABLE channel_messages (
  channel    text        NOT NULL,
  number     bigint      NOT NULL,
  message_id text        NOT NULL, -- the sender's name for it: a repetition is found by it
  method     text        NOT NULL,
  arguments  json        NOT NULL, -- as text, so that clients get the very characters that were sent
  sent_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (channel, number),
  UNIQUE (channel, message_id)
);

CREATE INDEX channel_messages_by_age ON channel_messages (sent_at);

-- Appends for many channels at once. A channel whose row isn't as its writer knows it answers nothing for its items. What is kept
-- already under an item's id isn't kept twice; the item is answered with the number that it has.
--
-- A lock waits for a writer before this one and then looks at the row as that writer left it, so that ids are only looked up
-- for channels that nobody wrote to since this statement began. Rows are locked in the order of their names, so that two batches can't
-- deadlock.
CREATE FUNCTION append_channel_messages(
  names text[], epochs bigint[], lasts bigint[],
  item_channels text[], item_ids text[], item_methods text[], item_arguments text[])
RETURNS TABLE (channel text, message_id text, number bigint)
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
    SELECT * FROM unnest(names, epochs, lasts) AS input (name, epoch, last)),
  locked AS MATERIALIZED (
    SELECT channels.name, channels.last_number
    FROM channels JOIN input ON channels.name = input.name
      AND channels.epoch = input.epoch AND channels.last_number = input.last
    ORDER BY channels.name FOR UPDATE OF channels),
  item AS MATERIALIZED (
    SELECT item.channel, item.id, item.method, item.arguments, item.place, locked.last_number, known.number AS known_number
    FROM unnest(item_channels, item_ids, item_methods, item_arguments) WITH ORDINALITY
      AS item (channel, id, method, arguments, place)
    JOIN locked ON locked.name = item.channel
    LEFT JOIN channel_messages known ON known.channel = item.channel AND known.message_id = item.id),
  added AS (
    INSERT INTO channel_messages AS message (channel, number, message_id, method, arguments)
    SELECT channel, last_number + row_number() OVER (PARTITION BY channel ORDER BY place), id, method, arguments::json
    FROM item WHERE known_number IS NULL
    RETURNING message.channel, message.message_id, message.number),
  counted AS (
    UPDATE channels SET last_number = channels.last_number + sums.count, bytes = channels.bytes + sums.bytes
    FROM (SELECT channel, count(*) AS count, sum(octet_length(arguments)) AS bytes FROM item WHERE known_number IS NULL GROUP BY channel)
      AS sums
    WHERE channels.name = sums.channel)
  SELECT channel, message_id, number FROM added
  UNION ALL
  SELECT channel, id, known_number FROM item WHERE known_number IS NOT NULL;
END
$$;

-- Forgets the oldest messages of a channel that keeps too many; the newest stay whatever their size.
CREATE FUNCTION trim_channel(channel_name text, messages_max bigint, bytes_max bigint)
RETURNS TABLE (first_number bigint, last_number bigint, bytes bigint)
LANGUAGE sql
AS $$
  WITH kept AS (
    SELECT number, row_number() OVER newest AS count, sum(octet_length(arguments::text)) OVER newest AS bytes
    FROM channel_messages WHERE channel = channel_name
    WINDOW newest AS (ORDER BY number DESC)),
  bound AS (
    SELECT coalesce(max(number), 0) AS number FROM kept WHERE count > 1 AND (count > messages_max OR bytes > bytes_max)),
  deleted AS (
    DELETE FROM channel_messages USING bound WHERE channel = channel_name AND channel_messages.number <= bound.number
    RETURNING octet_length(arguments::text) AS bytes)
  UPDATE channels SET
    first_number = greatest(channels.first_number, bound.number + 1),
    bytes = channels.bytes - (SELECT coalesce(sum(deleted.bytes), 0) FROM deleted)
  FROM bound WHERE name = channel_name
  RETURNING channels.first_number, channels.last_number, channels.bytes;
$$;

-- Forgets messages that are too old, some at a time, and channels that have none left. A silo doesn't wait for another's sweep.
CREATE FUNCTION sweep_channel_messages(age interval, rows_max integer)
RETURNS integer
LANGUAGE plpgsql
AS $$
DECLARE
  swept integer;
BEGIN
  WITH deleted AS (
    DELETE FROM channel_messages WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM channel_messages WHERE sent_at < now() - age ORDER BY sent_at LIMIT rows_max FOR UPDATE SKIP LOCKED))
    RETURNING channel, number, octet_length(arguments::text) AS bytes),
  sums AS (
    SELECT channel, max(number) AS number, sum(bytes) AS bytes, count(*) AS count FROM deleted GROUP BY channel),
  updated AS (
    UPDATE channels SET first_number = greatest(first_number, sums.number + 1), bytes = channels.bytes - sums.bytes
    FROM sums WHERE name = sums.channel AND last_number > sums.number),
  emptied AS (
    DELETE FROM channels USING sums WHERE name = sums.channel AND last_number = sums.number)
  SELECT coalesce(sum(count), 0) INTO swept FROM sums;
  RETURN swept;
END
$$;

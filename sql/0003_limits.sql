-- Buckets of the rate limiter have a table of their own (not Orleans' storage) because they are written by group commit,
-- many in one statement, and swept by index when their window is over.

-- Etags are never used twice, not even by a row that was swept and came back: a writer that slept through both must lose.
CREATE SEQUENCE limit_bucket_etag AS bigint CACHE 64;

CREATE TABLE limit_buckets (
  key           text        PRIMARY KEY,        -- policy|partition
  reserved      integer     NOT NULL,           -- permits that may have been granted in this window: persisted before the grant
  etag          bigint      NOT NULL,           -- of this write
  previous_etag bigint,                         -- the etag that its writer had seen; null if it had seen no row
  expires_at    timestamptz NOT NULL            -- end of the window by this database's clock, the only one for stored time
) WITH (fillfactor = 70); -- a window's later writes touch no indexed column and stay within the page (HOT)

CREATE INDEX limit_buckets_expires_at ON limit_buckets (expires_at);

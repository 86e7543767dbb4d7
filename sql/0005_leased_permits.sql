-- Buckets hold any algorithm's counts, and hand over who holds leases when they move.

-- Counts of a shape that no longer fits: at most one window per partition starts anew.
TRUNCATE limit_buckets;

ALTER TABLE limit_buckets
  DROP COLUMN reserved,
  ADD COLUMN state      bigint[]    NOT NULL, -- what may have been granted, as the pool wrote it; durations in 100 ns from written_at
  ADD COLUMN written_at timestamptz NOT NULL, -- by this database's clock, the only one for stored time
  ADD COLUMN hand_over  jsonb;                -- who holds leases, left by a bucket that moved; taken over once, then null

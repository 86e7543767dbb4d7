-- What operators change about limits while the service runs, and who did it. The configuration says which policies there are;
-- here are only those that were changed at least once.

-- One row: how many changes and resets there have been. A writer names the revision that it has seen; of two grain activations
-- that have seen the same one, one wins. Processes learn by it whether what they know is new.
CREATE TABLE limit_revision (
  is_only  boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  revision bigint  NOT NULL
);
INSERT INTO limit_revision (revision) VALUES (0);

CREATE TABLE limit_policies (
  name    text    PRIMARY KEY,
  version integer NOT NULL CHECK (version > 0), -- grows with every change; the configured policy is version 0
  policy  jsonb                                 -- null: the configured one is in force again, under this version
);

-- Only ever added to; rows may be deleted when nobody needs them any more.
CREATE TABLE limit_policy_changes (
  id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  revision   bigint      NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT now(), -- by this database's clock
  changed_by text        NOT NULL,               -- the operator's user id
  action     text        NOT NULL CHECK (action IN ('change', 'restore', 'reset-partition')),
  policy     text        NOT NULL,
  version    integer     NOT NULL,               -- of the policy, afterwards
  partition  text,                               -- who was counted; may be an address
  old_policy jsonb,                              -- what was in force before and
  new_policy jsonb,                              -- afterwards, also where that is the configured policy
  CHECK ((action = 'reset-partition') = (partition IS NOT NULL))
);

-- The last resets are read when the grain starts.
CREATE INDEX limit_policy_changes_resets ON limit_policy_changes (revision) WHERE partition IS NOT NULL;

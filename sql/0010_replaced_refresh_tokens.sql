-- Which refresh token took the place of which, so that a copy is recognised however quickly it is used.

ALTER TABLE refresh_tokens ADD COLUMN replaces bytea;

COMMENT ON COLUMN refresh_tokens.replaces IS
  'the token whose use issued this one; several may replace one whose answer was lost, and only one of them is ever used';

CREATE INDEX refresh_tokens_replaces_idx ON refresh_tokens (replaces) WHERE replaces IS NOT NULL;

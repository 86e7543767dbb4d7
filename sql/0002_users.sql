-- Users, their sessions, the keys that sign their access tokens, and the mail that leaves with a change.
-- Not in Orleans' grain storage: a user, the claim to an address and the mail about it must commit together, or not at all.

CREATE TABLE users (
  id            uuid        PRIMARY KEY,
  email         text        NOT NULL CHECK (char_length(email) <= 254),
  email_folded  text        NOT NULL CHECK (char_length(email_folded) <= 254),
  verified_at   timestamptz,
  display_name  text        NOT NULL CHECK (char_length(display_name) BETWEEN 1 AND 100),
  time_zone     text        NOT NULL CHECK (char_length(time_zone) BETWEEN 1 AND 100),
  roles         text[]      NOT NULL,
  password_hash text        NOT NULL,
  version       integer     NOT NULL,
  created_at    timestamptz NOT NULL,
  -- What decides a race for an address, whoever raced and wherever.
  CONSTRAINT users_email_folded_key UNIQUE (email_folded)
);

COMMENT ON COLUMN users.email IS 'as its owner wrote it: mail is sent there';
COMMENT ON COLUMN users.email_folded IS 'what makes two spellings one address: trimmed, lower case';
COMMENT ON COLUMN users.roles IS 'granted roles; operator is not among them, it follows from the setting Users:Operators';
COMMENT ON COLUMN users.version IS 'the ETag, and the fence: an UPDATE names the version that it read';

-- Unverified accounts are swept some time after their last link has ended.
CREATE INDEX users_unverified_idx ON users (created_at) WHERE verified_at IS NULL;

-- Each link carries the password (hashed) and the profile of the registration that it was mailed for.
CREATE TABLE email_verifications (
  token_hash    bytea       PRIMARY KEY CHECK (octet_length(token_hash) = 32),
  user_id       uuid        NOT NULL REFERENCES users ON DELETE CASCADE,
  password_hash text        NOT NULL,
  display_name  text        NOT NULL,
  time_zone     text        NOT NULL,
  created_at    timestamptz NOT NULL,
  expires_at    timestamptz NOT NULL,
  used_at       timestamptz
);

CREATE INDEX email_verifications_user_idx ON email_verifications (user_id, created_at);
CREATE INDEX email_verifications_expiry_idx ON email_verifications (expires_at);

-- A login starts a family; each refresh adds a token to it. Ending a family deletes it, and all of its tokens with it.
CREATE TABLE session_families (
  id         uuid        PRIMARY KEY,
  user_id    uuid        NOT NULL REFERENCES users ON DELETE CASCADE,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);

CREATE INDEX session_families_user_idx ON session_families (user_id, created_at);
CREATE INDEX session_families_expiry_idx ON session_families (expires_at);

-- Used tokens stay while their family lives: that is how a second use is recognised.
CREATE TABLE refresh_tokens (
  token_hash bytea       PRIMARY KEY CHECK (octet_length(token_hash) = 32),
  family_id  uuid        NOT NULL REFERENCES session_families ON DELETE CASCADE,
  issued_at  timestamptz NOT NULL,
  used_at    timestamptz
);

CREATE INDEX refresh_tokens_family_idx ON refresh_tokens (family_id);

-- ES256 keys. A key is published some time before it signs, and verifies until the last token signed with it has ended.
CREATE TABLE signing_keys (
  id             text        PRIMARY KEY,
  private_key    bytea       NOT NULL,
  signs_from     timestamptz NOT NULL,
  signs_until    timestamptz NOT NULL,
  verifies_until timestamptz NOT NULL,
  CHECK (signs_from < signs_until AND signs_until < verifies_until)
);

COMMENT ON COLUMN signing_keys.private_key IS 'PKCS #8: whoever reads it can sign as this service';

-- Mail that is to be sent: written by the transaction of the change that it speaks of, deleted once it has been sent.
CREATE TABLE mail_outbox (
  id              uuid        PRIMARY KEY,
  user_id         uuid,
  recipient       text        NOT NULL CHECK (char_length(recipient) <= 254),
  subject         text        NOT NULL,
  body            text        NOT NULL,
  created_at      timestamptz NOT NULL,
  attempts        integer     NOT NULL DEFAULT 0,
  next_attempt_at timestamptz NOT NULL,
  parked_at       timestamptz,
  last_error      text
);

COMMENT ON COLUMN mail_outbox.id IS 'also the Message-ID, so that a mail that was sent twice is recognised';
COMMENT ON COLUMN mail_outbox.parked_at IS 'given up after too many attempts; set attempts to 0 and this to NULL to try again';

CREATE INDEX mail_outbox_due_idx ON mail_outbox (next_attempt_at) WHERE parked_at IS NULL;
CREATE INDEX mail_outbox_user_idx ON mail_outbox (user_id) WHERE user_id IS NOT NULL;

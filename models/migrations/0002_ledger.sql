-- What the road runs on: messages in, turns, parts out, who holds which session, who is alive.

CREATE TABLE hosts (
  id UUID PRIMARY KEY,
  name VARCHAR(255) NOT NULL,
  shard INTEGER,
  role VARCHAR(20) NOT NULL CHECK (role IN ('daemon', 'worker', 'terminal')),
  beat BIGINT NOT NULL DEFAULT 0,
  started_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE session_leases (
  company_id UUID PRIMARY KEY REFERENCES companies (id) ON DELETE CASCADE,
  host_id UUID,
  fence BIGINT NOT NULL DEFAULT 0,
  acquired_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- Foreign keys look past row-level security, so those between business tables carry the company.
ALTER TABLE customers ADD CONSTRAINT customers_company_id_id_key UNIQUE (company_id, id);

CREATE TABLE turns (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  company_id UUID NOT NULL REFERENCES companies (id) ON DELETE CASCADE,
  customer_id UUID NOT NULL,
  channel VARCHAR(20) NOT NULL,
  chat VARCHAR(128) NOT NULL,
  state VARCHAR(20) NOT NULL DEFAULT 'open'
    CHECK (state IN ('open', 'answered', 'silent', 'failed')),
  attempt INTEGER NOT NULL DEFAULT 1,
  tries INTEGER NOT NULL DEFAULT 0,
  superseded INTEGER NOT NULL DEFAULT 0,
  host_id UUID,
  claimed_at TIMESTAMPTZ,
  due_at TIMESTAMPTZ,
  handler VARCHAR(50),
  reason VARCHAR(200),
  details JSONB NOT NULL DEFAULT '{}'::jsonb,
  opened_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  closed_at TIMESTAMPTZ,
  UNIQUE (company_id, id),
  FOREIGN KEY (company_id, customer_id) REFERENCES customers (company_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX idx_turns_open ON turns (company_id, customer_id) WHERE state = 'open';
CREATE INDEX idx_turns_host ON turns (host_id) WHERE state = 'open';
CREATE INDEX idx_turns_due ON turns (due_at) WHERE state = 'open' AND host_id IS NULL;

CREATE TABLE inbox (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  company_id UUID NOT NULL,
  customer_id UUID NOT NULL,
  wa_id VARCHAR(200) NOT NULL,
  channel VARCHAR(20) NOT NULL,
  sender VARCHAR(20) NOT NULL CHECK (sender IN ('customer', 'owner')),
  chat VARCHAR(128) NOT NULL,
  kind VARCHAR(20) NOT NULL,
  content TEXT NOT NULL,
  sent_at TIMESTAMPTZ NOT NULL,
  received_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  journal_seq BIGINT NOT NULL DEFAULT 0,
  state VARCHAR(20) NOT NULL DEFAULT 'pending'
    CHECK (state IN ('pending', 'taken', 'answered', 'silent')),
  reason VARCHAR(200),
  turn_id UUID,
  remembered BOOLEAN NOT NULL DEFAULT false,
  details JSONB,  -- What a message holds besides words: a quote, a file, a place, a target, bytes.
  UNIQUE (company_id, wa_id),
  FOREIGN KEY (company_id, customer_id) REFERENCES customers (company_id, id) ON DELETE CASCADE,
  FOREIGN KEY (company_id, turn_id) REFERENCES turns (company_id, id)
    ON DELETE SET NULL (turn_id)
);
CREATE INDEX idx_inbox_pending ON inbox (company_id, customer_id, id) WHERE state = 'pending';
CREATE INDEX idx_inbox_turn ON inbox (turn_id);
CREATE INDEX idx_inbox_unremembered ON inbox (company_id, customer_id, id) WHERE NOT remembered;

CREATE TABLE outbox (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  company_id UUID NOT NULL,
  customer_id UUID NOT NULL,
  turn_id UUID,
  part INTEGER NOT NULL DEFAULT 1,
  kind VARCHAR(20) NOT NULL CHECK (kind IN ('reply', 'notice')),
  channel VARCHAR(20) NOT NULL,
  chat VARCHAR(128) NOT NULL,
  content TEXT NOT NULL,
  state VARCHAR(20) NOT NULL DEFAULT 'ready'
    CHECK (state IN ('ready', 'sending', 'sent', 'superseded', 'stopped', 'failed')),
  reason VARCHAR(200),
  wa_id VARCHAR(200),
  confirmed BOOLEAN NOT NULL DEFAULT true,
  message_secret BYTEA,
  sessions_hash VARCHAR(64),
  fence BIGINT,
  host_id UUID,
  ai_metadata JSONB,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  sending_at TIMESTAMPTZ,
  sent_at TIMESTAMPTZ,
  remembered BOOLEAN NOT NULL DEFAULT false,
  FOREIGN KEY (company_id, customer_id) REFERENCES customers (company_id, id) ON DELETE CASCADE,
  FOREIGN KEY (company_id, turn_id) REFERENCES turns (company_id, id) ON DELETE CASCADE
);
-- A superseded part makes room for the part that replaces it.
CREATE UNIQUE INDEX idx_outbox_turn_part ON outbox (turn_id, part) WHERE state <> 'superseded';
CREATE INDEX idx_outbox_turn ON outbox (turn_id);
CREATE INDEX idx_outbox_open ON outbox (company_id, id) WHERE state IN ('ready', 'sending');
CREATE INDEX idx_outbox_open_customer ON outbox (company_id, customer_id)
  WHERE state IN ('ready', 'sending');
CREATE INDEX idx_outbox_unremembered ON outbox (company_id, customer_id, id)
  WHERE state = 'sent' AND NOT remembered;

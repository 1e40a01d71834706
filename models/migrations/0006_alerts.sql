-- Alerts and events. Triggers note what happened in the transaction of the thing itself, so that
-- nothing can fall between the two; each has a WHEN that an ordinary message does not meet.

CREATE TABLE events (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  company_id UUID NOT NULL REFERENCES companies (id) ON DELETE CASCADE,
  kind VARCHAR(20) NOT NULL
    CHECK (kind IN ('session', 'stage', 'handover', 'handover_over', 'payable', 'too_old', 'llm',
                    'aside', 'stopped', 'disk')),
  subject VARCHAR(64) NOT NULL DEFAULT '',
  data JSONB NOT NULL DEFAULT '{}'::jsonb,
  at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
  judged BOOLEAN NOT NULL DEFAULT false
);
CREATE INDEX idx_events_unjudged ON events (id) WHERE NOT judged;

CREATE TABLE incidents (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  company_id UUID NOT NULL REFERENCES companies (id) ON DELETE CASCADE,
  kind VARCHAR(30) NOT NULL,
  subject VARCHAR(64) NOT NULL DEFAULT '',
  facts JSONB NOT NULL DEFAULT '{}'::jsonb,
  began_at TIMESTAMPTZ NOT NULL,
  tell_at TIMESTAMPTZ,
  told_at TIMESTAMPTZ,
  ends_at TIMESTAMPTZ,
  ended_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX idx_incidents_open ON incidents (company_id, kind, subject)
  WHERE ended_at IS NULL;
CREATE INDEX idx_incidents_tell ON incidents (tell_at) WHERE tell_at IS NOT NULL;
CREATE INDEX idx_incidents_ends ON incidents (ends_at) WHERE ended_at IS NULL;

CREATE TABLE deliveries (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  company_id UUID NOT NULL REFERENCES companies (id) ON DELETE CASCADE,
  event_id UUID NOT NULL DEFAULT gen_random_uuid(),
  channel VARCHAR(20) NOT NULL CHECK (channel IN ('webhook', 'email', 'whatsapp', 'events')),
  type VARCHAR(40) NOT NULL,
  source VARCHAR(100) NOT NULL,
  payload JSONB NOT NULL,
  state VARCHAR(20) NOT NULL DEFAULT 'waiting'
    CHECK (state IN ('waiting', 'delivered', 'dead', 'dropped')),
  attempts INTEGER NOT NULL DEFAULT 0,
  next_try_at TIMESTAMPTZ NOT NULL,
  reason VARCHAR(300),
  created_at TIMESTAMPTZ NOT NULL,
  ended_at TIMESTAMPTZ,
  UNIQUE (company_id, channel, source)
);
CREATE INDEX idx_deliveries_waiting ON deliveries (company_id, channel, id)
  WHERE state = 'waiting';
CREATE INDEX idx_deliveries_ended ON deliveries (state, ended_at) WHERE state <> 'waiting';

CREATE TABLE alert_settings (
  company_id UUID PRIMARY KEY REFERENCES companies (id) ON DELETE CASCADE,
  email VARCHAR(255),
  webhook VARCHAR(2000),
  whatsapp BOOLEAN,
  events VARCHAR(2000),
  events_since TIMESTAMPTZ,
  inbox_position BIGINT NOT NULL DEFAULT 0,
  log_position TIMESTAMPTZ,
  event_position BIGINT NOT NULL DEFAULT 0
);

DO $$
DECLARE v_table regclass;
BEGIN
  FOREACH v_table IN ARRAY ARRAY['events', 'incidents', 'deliveries', 'alert_settings']::regclass[] LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', v_table);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', v_table);
    EXECUTE format('CREATE POLICY system_scope ON %s
                    USING (current_setting(''app.system'', true) = ''on'')', v_table);
    EXECUTE format('CREATE POLICY company_wall ON %s
                    USING (company_id = current_setting(''app.company_id'')::uuid)', v_table);
  END LOOP;
END $$;

-- A company's WhatsApp changed its state.
CREATE FUNCTION note_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO events (company_id, kind, data)
  VALUES (NEW.id, 'session', jsonb_strip_nulls(jsonb_build_object(
    'reason', NEW.whatsapp_session_data ->> 'reason',
    'detail', NEW.whatsapp_session_data ->> 'detail',
    'until', NEW.whatsapp_session_data ->> 'until',
    'phone', NEW.whatsapp_phone)));
  RETURN NULL;
END $$;
CREATE TRIGGER note_session AFTER UPDATE OF whatsapp_session_data ON companies FOR EACH ROW
  WHEN (NEW.whatsapp_session_data ->> 'reason' IS DISTINCT FROM
        OLD.whatsapp_session_data ->> 'reason')
  EXECUTE FUNCTION note_session();

CREATE FUNCTION note_stage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO events (company_id, kind, subject, data)
  VALUES (NEW.company_id, 'stage', NEW.id, jsonb_build_object('customerId', NEW.id,
    'phone', NEW.phone, 'name', NEW.name, 'from', OLD.stage, 'to', NEW.stage));
  RETURN NULL;
END $$;
CREATE TRIGGER note_stage AFTER UPDATE OF stage ON customers FOR EACH ROW
  WHEN (NEW.stage IS DISTINCT FROM OLD.stage) EXECUTE FUNCTION note_stage();

-- A chat was handed to a person. The pause was written a moment before, by the same step.
CREATE FUNCTION note_handover() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO events (company_id, kind, subject, data)
  SELECT NEW.company_id, 'handover', c.id, jsonb_build_object('customerId', c.id,
           'phone', c.phone, 'name', c.name, 'reason', NEW.event_data ->> 'reason',
           'until', c.paused_until)
         || coalesce(jsonb_strip_nulls(jsonb_build_object('product', NEW.event_data -> 'product')), '{}')
    FROM customers c WHERE c.company_id = NEW.company_id AND c.id = NEW.customer_id;
  RETURN NULL;
END $$;
CREATE TRIGGER note_handover AFTER INSERT ON agent_logs FOR EACH ROW
  WHEN (NEW.event_type = 'handover_requested') EXECUTE FUNCTION note_handover();

-- Somebody took the chat, or gave it back, before the hand-over's pause was over.
CREATE FUNCTION note_handover_over() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO events (company_id, kind, subject) VALUES (NEW.company_id, 'handover_over', NEW.id);
  RETURN NULL;
END $$;
CREATE TRIGGER note_handover_over AFTER UPDATE OF pause_reason, paused_until ON customers
  FOR EACH ROW
  WHEN (OLD.pause_reason = 'handover'
        AND (NEW.pause_reason IS DISTINCT FROM 'handover' OR NEW.paused_until IS NULL))
  EXECUTE FUNCTION note_handover_over();

-- A product can be paid for now, or is not sold any more.
CREATE FUNCTION note_payable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO events (company_id, kind, subject) VALUES (NEW.company_id, 'payable', NEW.id);
  RETURN NULL;
END $$;
CREATE TRIGGER note_payable AFTER UPDATE OF payment_link, active ON products FOR EACH ROW
  WHEN (OLD.active AND coalesce(OLD.payment_link, '') = ''
        AND (NOT NEW.active OR coalesce(NEW.payment_link, '') <> ''))
  EXECUTE FUNCTION note_payable();

-- A message came, or a reply was about to leave, when it was too old.
CREATE FUNCTION note_too_old() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO events (company_id, kind, data)
  VALUES (NEW.company_id, 'too_old', jsonb_build_object('customerId', NEW.customer_id));
  RETURN NULL;
END $$;
CREATE TRIGGER note_too_old AFTER INSERT ON inbox FOR EACH ROW
  WHEN (NEW.reason LIKE 'too old%') EXECUTE FUNCTION note_too_old();
CREATE TRIGGER note_too_old AFTER UPDATE OF state ON outbox FOR EACH ROW
  WHEN (OLD.state <> 'stopped' AND NEW.state = 'stopped' AND NEW.reason LIKE 'too old%')
  EXECUTE FUNCTION note_too_old();

-- How a customer is called, for integrators.
CREATE FUNCTION named(p_company uuid, p_customer uuid) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('phone', phone, 'name', name) FROM customers
   WHERE company_id = p_company AND id = p_customer;
$$;

-- A customer's message as integrators hear of it. What is about an earlier message has a type of its
-- own, so that nobody takes it for a new one.
CREATE FUNCTION published(p_row inbox, OUT type text, OUT data jsonb) LANGUAGE sql STABLE AS $$
  SELECT CASE p_row.kind WHEN 'edit' THEN 'message.edited' WHEN 'revoke' THEN 'message.revoked'
           WHEN 'reaction' THEN 'message.reaction' ELSE 'message.received' END,
         jsonb_build_object('messageId', line_id(p_row.wa_id), 'channel', p_row.channel,
           'customerId', p_row.customer_id, 'sentAt', p_row.sent_at)
         || named(p_row.company_id, p_row.customer_id)
         || CASE WHEN p_row.kind IN ('edit', 'revoke', 'reaction')
              THEN jsonb_build_object('targetId', p_row.details ->> 'target') ELSE '{}' END
         || CASE p_row.kind
              WHEN 'edit' THEN jsonb_build_object('text', p_row.content,
                'applied', p_row.details ? 'applied')
              WHEN 'revoke' THEN jsonb_build_object('applied', p_row.details ? 'applied')
              WHEN 'reaction' THEN jsonb_build_object('emoji', p_row.content)
              ELSE jsonb_build_object('kind', p_row.kind, 'text', p_row.content,
                'silence', CASE WHEN p_row.state = 'silent' AND p_row.reason <> 'rings'
                                THEN p_row.reason END) END;
$$;

-- Makes deliveries of what companies with an events webhook want to hear, in order of time.
-- No cursor on a number or a time is safe by itself, because a row may become visible after its
-- neighbours: so each look goes back two minutes, longer than any step lasts, and leaves out what
-- is a delivery already.
CREATE FUNCTION publish_events(p_now timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_settled timestamptz := now() - interval '2 minutes';
  v_inbox bigint; v_logs timestamptz; v_events bigint; v_made int;
BEGIN
  SELECT min(inbox_position), min(log_position), min(event_position)
    INTO v_inbox, v_logs, v_events FROM alert_settings WHERE events IS NOT NULL;
  IF v_inbox IS NULL OR NOT pg_try_advisory_xact_lock(hashtext('lyrox events')) THEN RETURN; END IF;
  -- Materialized: under row-level security an index is not asked for what is read out of JSON.
  WITH logs AS MATERIALIZED (
    SELECT company_id, id, created_at, (event_data ->> 'outboxId')::bigint AS outbox_id
      FROM agent_logs WHERE created_at > v_logs AND event_type IN ('message_sent', 'notice_sent'))
  INSERT INTO deliveries (company_id, channel, type, source, payload, created_at, next_try_at)
  SELECT f.company_id, 'events', f.type, f.source,
         jsonb_build_object('at', f.at, 'data', f.data), p_now, p_now
    FROM (
      SELECT i.company_id, p.type, 'inbox-' || i.id AS source, i.received_at AS at, p.data
        FROM inbox i CROSS JOIN LATERAL published(i) p
       WHERE i.id > v_inbox AND i.sender = 'customer'
      UNION ALL
      SELECT l.company_id, 'reply.sent', 'log-' || l.id, l.created_at,
             jsonb_build_object('messageId', o.wa_id, 'channel', o.channel, 'turnId', o.turn_id,
               'part', o.part, 'customerId', o.customer_id, 'kind', o.kind, 'text', o.content,
               'confirmed', o.confirmed, 'model', o.ai_metadata ->> 'model', 'sentAt', o.sent_at)
             || named(o.company_id, o.customer_id)
        FROM logs l JOIN outbox o ON o.company_id = l.company_id AND o.id = l.outbox_id
      UNION ALL
      SELECT e.company_id, CASE e.kind WHEN 'session' THEN 'session.changed'
               WHEN 'stage' THEN 'customer.stage_changed' ELSE 'chat.handed_over' END,
             'event-' || e.id, e.at, e.data
        FROM events e WHERE e.id > v_events AND e.kind IN ('session', 'stage', 'handover')) f
    JOIN alert_settings s ON s.company_id = f.company_id AND s.events IS NOT NULL
     AND f.at >= s.events_since
   WHERE NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.company_id = f.company_id
                        AND d.channel = 'events' AND d.source = f.source)
   ORDER BY f.at, f.source LIMIT 500;
  GET DIAGNOSTICS v_made = ROW_COUNT;
  IF v_made = 500 THEN RETURN; END IF;  -- There is more: the next look begins here again.
  SELECT coalesce(max(id), v_inbox) INTO v_inbox FROM inbox
   WHERE id > v_inbox AND received_at < v_settled;
  SELECT coalesce(max(id), v_events) INTO v_events FROM events
   WHERE id > v_events AND at < v_settled;
  UPDATE alert_settings SET inbox_position = v_inbox, event_position = v_events,
         log_position = greatest(log_position, v_settled)
   WHERE events IS NOT NULL;
END $$;

-- One look of the watch: publishes, and says whether there is something to judge or to tell, and
-- which queues (a company and a channel each) have a delivery that is due.
CREATE FUNCTION desk_watch(p_now timestamptz) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
  PERFORM enter_system();
  PERFORM publish_events(p_now);
  RETURN jsonb_build_object(
    'news', EXISTS (SELECT 1 FROM events WHERE NOT judged)
         OR EXISTS (SELECT 1 FROM incidents WHERE tell_at <= p_now)
         OR EXISTS (SELECT 1 FROM incidents WHERE ended_at IS NULL AND ends_at <= p_now),
    'queues', (
      -- From queue to queue in one index, however many deliveries wait in each.
      WITH RECURSIVE heads AS (
        (SELECT company_id, channel, next_try_at FROM deliveries
          WHERE state = 'waiting' ORDER BY company_id, channel, id LIMIT 1)
        UNION ALL
        SELECT n.company_id, n.channel, n.next_try_at FROM heads h CROSS JOIN LATERAL (
          SELECT d.company_id, d.channel, d.next_try_at FROM deliveries d
           WHERE d.state = 'waiting' AND (d.company_id, d.channel) > (h.company_id, h.channel)
           ORDER BY d.company_id, d.channel, d.id LIMIT 1) n)
      SELECT coalesce(jsonb_agg(jsonb_build_array(company_id, channel)), '[]'::jsonb)
        FROM heads WHERE next_try_at <= p_now));
END $$;

-- The oldest delivery of a queue, if it is due: held for p_hold_seconds, so that a killed process
-- delays it only. Later ones wait for it, which keeps their order.
CREATE FUNCTION road_next_delivery(p_company uuid, p_channel text, p_now timestamptz,
                                   p_hold_seconds double precision) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE v_row deliveries;
BEGIN
  PERFORM enter_company(p_company);
  SELECT * INTO v_row FROM deliveries
   WHERE company_id = p_company AND channel = p_channel AND state = 'waiting'
   ORDER BY id LIMIT 1 FOR UPDATE;
  IF NOT FOUND OR v_row.next_try_at > p_now THEN RETURN NULL; END IF;
  UPDATE deliveries SET attempts = attempts + 1,
         next_try_at = p_now + make_interval(secs => p_hold_seconds)
   WHERE company_id = p_company AND id = v_row.id RETURNING * INTO v_row;
  RETURN to_jsonb(v_row) || jsonb_build_object('over', EXISTS (SELECT 1 FROM incidents
    WHERE company_id = p_company AND id::text = v_row.payload ->> 'incident'
      AND ended_at IS NOT NULL));
END $$;

-- How a try ended; nothing where another try has begun since.
CREATE FUNCTION road_end_delivery(p_company uuid, p_delivery bigint, p_attempt int, p_state text,
  p_reason text, p_next_try_at timestamptz, p_now timestamptz) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM enter_company(p_company);
  UPDATE deliveries SET state = p_state, reason = p_reason,
         next_try_at = coalesce(p_next_try_at, next_try_at),
         ended_at = CASE WHEN p_state <> 'waiting' THEN p_now END
   WHERE company_id = p_company AND id = p_delivery AND attempts = p_attempt
     AND state = 'waiting';
  RETURN FOUND;
END $$;

-- An event that no statement of the road or the desk could note.
CREATE FUNCTION road_note(p_company uuid, p_kind text, p_data jsonb, p_now timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM enter_company(p_company);
  -- What is on the disk may be of a company that is gone.
  INSERT INTO events (company_id, kind, data, at)
  SELECT p_company, p_kind, p_data, p_now FROM companies WHERE id = p_company;
END $$;

-- Every company is told of what concerns them all, such as the language models.
CREATE FUNCTION desk_note_all(p_kind text, p_data jsonb, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM enter_system();
  INSERT INTO events (company_id, kind, data, at)
  SELECT c.id, p_kind, p_data, p_now FROM companies c JOIN users u ON u.id = c.owner_id
   WHERE c.active AND u.status = 'active';
END $$;

-- What `lyrox status` shows: what is amiss, what waits, and what could not be delivered.
CREATE FUNCTION desk_alerts_overview() RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
  PERFORM enter_system();
  RETURN jsonb_build_object(
    'open', (SELECT coalesce(jsonb_agg(jsonb_build_object('company', c.slug, 'kind', i.kind,
        'since', i.began_at, 'told', i.told_at) ORDER BY i.began_at), '[]'::jsonb)
      FROM incidents i JOIN companies c ON c.id = i.company_id WHERE i.ended_at IS NULL),
    'waiting', (SELECT count(*) FROM deliveries WHERE state = 'waiting'),
    'dead', (SELECT count(*) FROM deliveries WHERE state = 'dead'),
    'letters', (SELECT coalesce(jsonb_agg(to_jsonb(l)), '[]'::jsonb) FROM (
      SELECT c.slug AS company, d.channel, d.type, d.created_at AS since, d.attempts, d.reason
        FROM deliveries d JOIN companies c ON c.id = d.company_id
       WHERE d.state = 'dead' ORDER BY d.ended_at DESC LIMIT 20) l));
END $$;

-- Dead letters of a company, or of all, are tried for another day, under the ids they had. An alert
-- whose incident is over would only mislead by now.
CREATE FUNCTION desk_retry(p_company uuid, p_now timestamptz, OUT again int, OUT over int)
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM enter_system();
  UPDATE deliveries d SET state = 'dropped', reason = 'over before anybody took it', ended_at = p_now
   WHERE d.state = 'dead' AND d.company_id = coalesce(p_company, d.company_id)
     AND d.type IN ('alert.begun', 'alert.repeated')
     AND EXISTS (SELECT 1 FROM incidents i WHERE i.company_id = d.company_id
           AND i.id = (d.payload ->> 'incident')::uuid AND i.ended_at IS NOT NULL);
  GET DIAGNOSTICS over = ROW_COUNT;
  UPDATE deliveries SET state = 'waiting', attempts = 0, next_try_at = p_now, created_at = p_now,
         ended_at = NULL
   WHERE state = 'dead' AND company_id = coalesce(p_company, company_id);
  GET DIAGNOSTICS again = ROW_COUNT;
END $$;

-- What nobody asks for any more.
CREATE FUNCTION desk_prune(p_now timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM enter_system();
  DELETE FROM deliveries WHERE state IN ('delivered', 'dropped') AND ended_at < p_now - interval '3 days';
  DELETE FROM deliveries WHERE state = 'dead' AND ended_at < p_now - interval '7 days';
  DELETE FROM events WHERE judged AND at < p_now - interval '30 days';
  DELETE FROM incidents WHERE ended_at < p_now - interval '90 days' AND tell_at IS NULL;
END $$;

-- The ledger's end. Rows that are closed and written into the conversation documents are cleared
-- after a while, off the road; and an operator may ask why something was answered as it was.

-- Turns without messages of their own (they joined another) are found by their end.
CREATE INDEX idx_turns_silent ON turns (closed_at) WHERE state = 'silent';
-- Whose reply a WhatsApp id is.
CREATE INDEX idx_outbox_wa_id ON outbox (wa_id) WHERE wa_id IS NOT NULL;

-- Whether this is the daemon that has been alive longest: it alone does what need not be done twice.
CREATE FUNCTION desk_eldest(p_host uuid) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM enter_system();
  RETURN coalesce((SELECT id = p_host FROM hosts WHERE role = 'daemon'
                    ORDER BY started_at, id LIMIT 1), false);
END $$;

-- One batch of clearing. A turn goes with all its messages and bubbles or not at all: only when all
-- of them are closed, older than p_days, and in the conversation document where one must be. Rows in
-- use are left to the next round; nothing here ever waits for a lock.
-- p_inbox, p_outbox: where the batch before came to. Their successors are null at the end.
CREATE FUNCTION desk_purge(p_days int, p_inbox bigint, p_outbox bigint, p_limit int,
  OUT inbox_rows int, OUT turn_rows int, OUT outbox_rows int, OUT next_inbox bigint,
  OUT next_outbox bigint)
LANGUAGE plpgsql AS $$
DECLARE
  v_before timestamptz := now() - make_interval(days => p_days);
  v_old boolean; v_rows bigint[]; v_notices bigint[]; v_turns uuid[];
  v_inbox bigint[]; v_outbox bigint[];
BEGIN
  PERFORM enter_system();
  inbox_rows := 0; turn_rows := 0; outbox_rows := 0;
  IF NOT pg_try_advisory_xact_lock(hashtext('lyrox purge')) THEN RETURN; END IF;

  SELECT array_agg(w.id) FILTER (WHERE w.received_at < v_before), max(w.id),
         bool_and(w.received_at < v_before)
    INTO v_rows, next_inbox, v_old
    FROM (SELECT id, received_at FROM inbox WHERE id > p_inbox ORDER BY id LIMIT p_limit) w;
  IF v_old IS NOT TRUE THEN next_inbox := NULL; END IF;
  SELECT array_agg(w.id) FILTER (WHERE w.created_at < v_before), max(w.id),
         bool_and(w.created_at < v_before)
    INTO v_notices, next_outbox, v_old
    FROM (SELECT id, created_at FROM outbox WHERE id > p_outbox ORDER BY id LIMIT p_limit) w;
  IF v_old IS NOT TRUE THEN next_outbox := NULL; END IF;

  v_turns := ARRAY(SELECT turn_id FROM inbox WHERE id = ANY (v_rows) AND turn_id IS NOT NULL
                   UNION SELECT o.id FROM (
                     SELECT t.id FROM turns t WHERE t.state = 'silent' AND t.closed_at < v_before
                        AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.turn_id = t.id)
                      ORDER BY t.closed_at LIMIT p_limit) o);
  -- Locked in the road's order, and looked at only then.
  v_outbox := ARRAY(SELECT id FROM outbox
    WHERE turn_id = ANY (v_turns) OR (id = ANY (v_notices) AND turn_id IS NULL)
    ORDER BY id FOR UPDATE SKIP LOCKED);
  v_turns := ARRAY(SELECT id FROM turns WHERE id = ANY (v_turns) ORDER BY id FOR UPDATE SKIP LOCKED);
  v_inbox := ARRAY(SELECT id FROM inbox
    WHERE turn_id = ANY (v_turns) OR (id = ANY (v_rows) AND turn_id IS NULL)
    ORDER BY id FOR UPDATE SKIP LOCKED);
  v_turns := ARRAY(SELECT t.id FROM turns t
    WHERE t.id = ANY (v_turns) AND t.state <> 'open' AND t.closed_at < v_before
      AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.turn_id = t.id
            AND (o.id <> ALL (v_outbox) OR NOT past(o, v_before)))
      AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.turn_id = t.id
            AND (i.id <> ALL (v_inbox) OR NOT past(i, v_before))));

  DELETE FROM outbox o WHERE o.id = ANY (v_outbox)
     AND (o.turn_id = ANY (v_turns) OR (o.turn_id IS NULL AND past(o, v_before)));
  GET DIAGNOSTICS outbox_rows = ROW_COUNT;
  DELETE FROM inbox i WHERE i.id = ANY (v_inbox)
     AND (i.turn_id = ANY (v_turns) OR (i.turn_id IS NULL AND past(i, v_before)));
  GET DIAGNOSTICS inbox_rows = ROW_COUNT;
  DELETE FROM turns WHERE id = ANY (v_turns);
  GET DIAGNOSTICS turn_rows = ROW_COUNT;
END $$;

-- Closed, old, and written down.
CREATE FUNCTION past(p_row inbox, p_before timestamptz) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT p_row.state IN ('answered', 'silent') AND p_row.remembered
     AND p_row.received_at < p_before;
$$;
CREATE FUNCTION past(p_row outbox, p_before timestamptz) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT p_row.created_at < p_before
     AND (p_row.state IN ('superseded', 'stopped', 'failed')
          OR (p_row.state = 'sent' AND p_row.remembered AND p_row.sent_at < p_before));
$$;

-- The ids of a customer's lines whose rows are not marked as written, so that no such line is moved
-- into the archive; null where the conversation must not be touched, because it is to become one
-- with another, or nobody knows its customer.
CREATE FUNCTION road_unwritten(p_company uuid, p_customer uuid) RETURNS text[]
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM enter_company(p_company);
  IF NOT EXISTS (SELECT 1 FROM customers WHERE company_id = p_company AND id = p_customer)
     OR EXISTS (SELECT 1 FROM customer_merges WHERE company_id = p_company AND NOT mongo_done
                   AND p_customer IN (old_id, new_id)) THEN RETURN NULL; END IF;
  RETURN ARRAY(
    SELECT line_id(wa_id) FROM inbox
     WHERE company_id = p_company AND customer_id = p_customer AND NOT remembered
    UNION ALL
    SELECT coalesce(wa_id, 'outbox-' || id) FROM outbox
     WHERE company_id = p_company AND customer_id = p_customer AND state = 'sent'
       AND NOT remembered);
END $$;

-- What an id may name: a message (WhatsApp's id, or inbox-N), a reply or a notice (WhatsApp's id, or
-- outbox-N), a turn (its id or the beginning of it). A bare number may be either row.
CREATE FUNCTION desk_find(p_text text, p_number bigint, p_first uuid, p_last uuid)
RETURNS TABLE (company_id uuid, ledger text, id text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM enter_system();
  RETURN QUERY
    SELECT c.id, 'inbox', i.id::text FROM companies c
      JOIN LATERAL (SELECT n.id FROM inbox n WHERE n.company_id = c.id AND n.wa_id = p_text) i ON true
    UNION SELECT company_id, 'outbox', id::text FROM outbox WHERE wa_id = p_text
    UNION SELECT company_id, 'inbox', id::text FROM inbox
     WHERE id = p_number AND left(p_text, 1) <> 'o'
    UNION SELECT company_id, 'outbox', id::text FROM outbox
     WHERE id = p_number AND left(p_text, 1) <> 'i'
    UNION (SELECT company_id, 'turn', id::text FROM turns
            WHERE id BETWEEN p_first AND p_last ORDER BY id LIMIT 5);
END $$;

-- The whole story of a row, for `lyrox why`: its turn with all that it answered and said, and what
-- else was said to the customer meanwhile.
CREATE FUNCTION road_why(p_company uuid, p_ledger text, p_id text) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
  v_turn turns; v_inbox bigint; v_outbox bigint; v_customer uuid; v_from timestamptz;
  v_messages bigint[]; v_parts bigint[];
BEGIN
  PERFORM enter_company(p_company);
  IF p_ledger = 'inbox' THEN
    v_inbox := p_id;
    SELECT t.* INTO v_turn FROM inbox i JOIN turns t ON t.id = i.turn_id
     WHERE i.company_id = p_company AND i.id = v_inbox;
    SELECT customer_id, received_at INTO v_customer, v_from FROM inbox
     WHERE company_id = p_company AND id = v_inbox;
  ELSIF p_ledger = 'outbox' THEN
    v_outbox := p_id;
    SELECT t.* INTO v_turn FROM outbox o JOIN turns t ON t.id = o.turn_id
     WHERE o.company_id = p_company AND o.id = v_outbox;
    SELECT customer_id, created_at INTO v_customer, v_from FROM outbox
     WHERE company_id = p_company AND id = v_outbox;
  ELSE
    SELECT * INTO v_turn FROM turns WHERE company_id = p_company AND id = p_id::uuid;
  END IF;
  IF v_turn.id IS NOT NULL THEN
    v_customer := v_turn.customer_id; v_from := v_turn.opened_at;
    v_messages := ARRAY(SELECT id FROM inbox WHERE company_id = p_company AND turn_id = v_turn.id);
    v_parts := ARRAY(SELECT id FROM outbox WHERE company_id = p_company AND turn_id = v_turn.id);
  ELSE
    v_messages := ARRAY[v_inbox]; v_parts := ARRAY[v_outbox];
  END IF;
  IF v_customer IS NULL THEN RETURN NULL; END IF;
  RETURN jsonb_build_object(
    'company', (SELECT jsonb_build_object('slug', slug, 'name', name) FROM companies
                 WHERE id = p_company),
    'customer', (SELECT jsonb_build_object('id', id, 'phone', phone, 'name', name) FROM customers
                  WHERE company_id = p_company AND id = v_customer),
    'turn', CASE WHEN v_turn.id IS NOT NULL THEN to_jsonb(v_turn) || jsonb_build_object(
      'host', (SELECT name FROM hosts WHERE id = v_turn.host_id)) END,
    'messages', (SELECT coalesce(jsonb_agg(to_jsonb(i) ORDER BY i.sent_at, i.id), '[]'::jsonb)
      FROM (SELECT id, wa_id, channel, sender, kind, content, sent_at, received_at, state, reason,
                   remembered, details ->> 'target' AS target, details ->> 'applied' AS applied
              FROM inbox
             WHERE company_id = p_company AND id = ANY (v_messages)) i),
    'parts', (SELECT coalesce(jsonb_agg(to_jsonb(o) ORDER BY o.id), '[]'::jsonb)
      FROM (SELECT id, part, kind, content, state, reason, wa_id, confirmed, created_at, sending_at,
                   sent_at, ai_metadata FROM outbox
             WHERE company_id = p_company AND id = ANY (v_parts)) o),
    'notices', (SELECT coalesce(jsonb_agg(to_jsonb(n) ORDER BY n.id), '[]'::jsonb)
      FROM (SELECT id, content, state, reason, wa_id, confirmed, created_at, sent_at FROM outbox
             WHERE company_id = p_company AND customer_id = v_customer AND kind = 'notice'
               AND id IS DISTINCT FROM v_outbox AND created_at BETWEEN v_from - interval '1 second'
                   AND coalesce(v_turn.closed_at, v_from + interval '1 minute')) n));
END $$;

-- What the logs still know of something whose rows were cleared, newest first.
CREATE FUNCTION desk_logged(p_key text, p_value text) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
  PERFORM enter_system();
  RETURN (SELECT coalesce(jsonb_agg(to_jsonb(l)), '[]'::jsonb) FROM (
    SELECT c.slug AS company, a.created_at, a.event_type, a.event_data, a.tokens_used,
           a.response_time_ms
      FROM agent_logs a JOIN companies c ON c.id = a.company_id
     WHERE a.event_data ->> p_key = p_value ORDER BY a.created_at DESC LIMIT 20) l);
END $$;

-- The highest numbers that rows ever had.
CREATE FUNCTION desk_highest(OUT inbox bigint, OUT outbox bigint) LANGUAGE sql AS $$
  SELECT pg_sequence_last_value(pg_get_serial_sequence('inbox', 'id')),
         pg_sequence_last_value(pg_get_serial_sequence('outbox', 'id'));
$$;

-- The owner's hand: what the owner writes in a customer's chat, the day at a glance for the own
-- chat, and how each company wants its answers to come.

-- NULL: as the configuration says.
ALTER TABLE companies
  ADD COLUMN mark_read BOOLEAN,
  ADD COLUMN show_typing BOOLEAN,
  ADD COLUMN pace_seconds DOUBLE PRECISION CHECK (pace_seconds BETWEEN 0 AND 30),
  ADD COLUMN reply_parts SMALLINT CHECK (reply_parts BETWEEN 1 AND 3),
  ADD COLUMN pause_minutes INTEGER CHECK (pause_minutes BETWEEN 1 AND 43200),
  ADD COLUMN resume_word VARCHAR(40) CHECK (btrim(resume_word) <> '');

-- How a company's answers come, where it says so itself.
CREATE FUNCTION road_manner(p_company companies) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_build_object('mark_read', p_company.mark_read, 'typing', p_company.show_typing,
    'pace_seconds', p_company.pace_seconds, 'parts', p_company.reply_parts,
    'pause_minutes', p_company.pause_minutes);
$$;

-- Texts that came so soon after a first message that a person can hardly have written them.
CREATE INDEX idx_inbox_at_once ON inbox (company_id, id)
  WHERE reason IN ('written at once', 'automatic text');
-- What came too late to be answered, for the owner's list.
CREATE INDEX idx_inbox_too_old ON inbox (company_id, received_at)
  WHERE reason = 'too old when it arrived';

-- Whether an own message came within two seconds of a first inbound: of a customer's message
-- before which nothing was said in the chat for twelve hours, by anybody, and nothing since.
CREATE FUNCTION road_at_once(p_company uuid, p_customer uuid, p_inbox bigint,
                             p_sent_at timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE v_first timestamptz;
BEGIN
  SELECT min(sent_at) INTO v_first FROM inbox
   WHERE company_id = p_company AND customer_id = p_customer AND sender = 'customer'
     AND sent_at BETWEEN p_sent_at - interval '2 seconds' AND p_sent_at;
  RETURN v_first IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM inbox
      WHERE company_id = p_company AND customer_id = p_customer AND id <> p_inbox
        AND sent_at > v_first - interval '12 hours'
        AND (sent_at < v_first OR sender = 'owner'))
    AND NOT EXISTS (SELECT 1 FROM outbox
      WHERE company_id = p_company AND customer_id = p_customer AND state = 'sent'
        AND sent_at > v_first - interval '12 hours');
END $$;

-- The owner wrote in a customer's chat: kept, and the chat is paused. deed: paused | resumed (it
-- was the word that gives the chat back) | automatic (a text of the Business app, which takes
-- nobody's chat: the pause is as it was before). In doubt it stays paused.
CREATE FUNCTION road_owner_wrote(
  p_company uuid, p_wa_id text, p_channel text, p_phone text, p_lid text, p_chat text, p_kind text,
  p_content text, p_sent_at timestamptz, p_journal_seq bigint, p_pause_seconds double precision,
  p_resume_word text, p_details jsonb,
  OUT verdict text, OUT inbox_id bigint, OUT customer_id uuid, OUT customer_name text,
  OUT stage text, OUT phone text, OUT deed text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE v_company companies; v_before customers; v_at_once boolean;
BEGIN
  PERFORM enter_company(p_company);
  SELECT * INTO v_company FROM companies WHERE id = p_company;
  SELECT c.* INTO v_before FROM customers c
   WHERE c.company_id = p_company AND (c.whatsapp_lid = p_lid
         OR c.phone = p_phone AND (c.whatsapp_lid = p_lid) IS NOT FALSE)
   ORDER BY c.phone = p_phone DESC LIMIT 1 FOR NO KEY UPDATE;
  SELECT a.verdict, a.inbox_id, a.customer_id, a.customer_name, a.stage, a.phone
    INTO verdict, inbox_id, customer_id, customer_name, stage, road_owner_wrote.phone
    FROM road_accept(p_company, p_wa_id, p_channel, 'owner', p_phone, p_lid, p_chat, NULL, p_kind,
                     p_content, p_sent_at, p_journal_seq, NULL,
                     coalesce(60.0 * v_company.pause_minutes, p_pause_seconds), NULL, p_details) a;
  IF inbox_id IS NULL THEN RETURN; END IF;
  deed := 'paused';
  IF p_kind <> 'text' THEN RETURN; END IF;
  IF lower(btrim(p_content)) = lower(coalesce(v_company.resume_word, p_resume_word)) THEN
    deed := 'resumed';
    UPDATE customers c SET paused_until = NULL, pause_reason = NULL
     WHERE c.company_id = p_company AND (c.id = road_owner_wrote.customer_id OR c.whatsapp_lid = p_lid);
    -- The word is no part of the conversation.
    UPDATE inbox SET reason = 'gave the chat back', remembered = true
     WHERE company_id = p_company AND id = road_owner_wrote.inbox_id;
    RETURN;
  END IF;
  v_at_once := road_at_once(p_company, customer_id, inbox_id, p_sent_at);
  IF NOT v_at_once THEN RETURN; END IF;
  IF EXISTS (SELECT 1 FROM (SELECT i.customer_id, i.content FROM inbox i
       WHERE i.company_id = p_company AND i.reason IN ('written at once', 'automatic text')
       ORDER BY i.id DESC LIMIT 200) e
     WHERE e.customer_id <> road_owner_wrote.customer_id AND e.content = p_content) THEN
    deed := 'automatic';
    UPDATE customers c SET paused_until = v_before.paused_until, pause_reason = v_before.pause_reason
     WHERE c.company_id = p_company AND c.id = road_owner_wrote.customer_id;
  END IF;
  UPDATE inbox SET reason = CASE deed WHEN 'automatic' THEN 'automatic text' ELSE 'written at once' END
   WHERE company_id = p_company AND id = road_owner_wrote.inbox_id;
END $$;

-- The day at a glance, by the company's own clocks or those of p_zone.
CREATE FUNCTION road_today(p_company uuid, p_zone text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE v_zone text; v_since timestamptz;
BEGIN
  PERFORM enter_company(p_company);
  SELECT coalesce(nullif(metadata ->> 'time_zone', ''), p_zone) INTO v_zone FROM companies
   WHERE id = p_company;
  BEGIN
    v_since := date_trunc('day', now() AT TIME ZONE v_zone) AT TIME ZONE v_zone;
  EXCEPTION WHEN invalid_parameter_value THEN
    v_since := date_trunc('day', now() AT TIME ZONE p_zone) AT TIME ZONE p_zone;
  END;
  RETURN jsonb_build_object(
    'people', (SELECT count(*) FROM customers WHERE company_id = p_company AND last_interaction >= v_since),
    'replies', (SELECT count(DISTINCT event_data ->> 'turnId') FROM agent_logs
      WHERE company_id = p_company AND created_at >= v_since AND event_type = 'message_sent'),
    'handovers', (SELECT count(*) FROM agent_logs
      WHERE company_id = p_company AND created_at >= v_since AND event_type = 'handover_requested'),
    'sales', (SELECT count(*) FROM sales WHERE company_id = p_company AND sale_date >= v_since
      AND payment_status = 'completed'),
    'with_you', (SELECT count(*) FROM customers WHERE company_id = p_company AND paused_until > now()),
    'too_old', (SELECT count(DISTINCT customer_id) FROM inbox WHERE company_id = p_company
      AND reason = 'too old when it arrived' AND received_at >= v_since),
    'paused', (SELECT paused FROM companies WHERE id = p_company));
END $$;

-- Chats whose message came too old to be answered, in the last three days, and nobody has written
-- there since: newest first.
CREATE FUNCTION desk_too_old(p_limit int) RETURNS jsonb LANGUAGE sql AS $$
  SELECT coalesce(jsonb_agg(to_jsonb(r) ORDER BY r.written DESC), '[]'::jsonb) FROM (
    SELECT co.slug AS company, c.phone AS customer, c.name, count(*) AS messages,
           max(i.sent_at) AS written
      FROM inbox i JOIN customers c ON c.company_id = i.company_id AND c.id = i.customer_id
      JOIN companies co ON co.id = i.company_id
     WHERE i.reason = 'too old when it arrived' AND i.received_at > now() - interval '3 days'
       AND NOT EXISTS (SELECT 1 FROM inbox l WHERE l.company_id = i.company_id
             AND l.customer_id = i.customer_id AND l.id > i.id AND l.sender = 'owner')
       AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.company_id = i.company_id
             AND o.customer_id = i.customer_id AND o.state = 'sent' AND o.sent_at > i.received_at)
     GROUP BY co.slug, c.phone, c.name ORDER BY max(i.sent_at) DESC LIMIT p_limit) r;
$$;

-- Chats that are with a person, for desk_overview, which every daemon asks for every few seconds.
CREATE INDEX idx_customers_handed_over ON customers (paused_until) WHERE pause_reason = 'handover';

-- What a paused chat left unanswered, for desk_take_up.
CREATE INDEX idx_inbox_paused ON inbox (received_at)
  WHERE state = 'silent' AND reason LIKE 'paused: %';

-- Takes up what was written while a chat was with a person, or its company was silent, once the chat is
-- the bot's again and nobody has answered: neither the owner since, nor we something newer. One turn
-- for all of it, unless it is older than p_seconds. A chat that was handed over because a robot writes
-- there is not begun again by us; nobody's robot waits.
CREATE FUNCTION desk_take_up(p_seconds double precision) RETURNS int LANGUAGE plpgsql AS $$
DECLARE v_messages int;
BEGIN
  PERFORM enter_system();
  UPDATE inbox SET state = 'pending', reason = NULL, turn_id = NULL WHERE id IN (
    SELECT i.id FROM inbox i
      JOIN customers c ON c.company_id = i.company_id AND c.id = i.customer_id
      JOIN companies co ON co.id = i.company_id
     WHERE i.state = 'silent' AND i.reason LIKE 'paused: %' AND i.sender = 'customer'
       AND i.channel <> 'terminal' AND i.received_at > now() - make_interval(secs => p_seconds)
       AND (c.paused_until > now()) IS NOT TRUE AND co.active AND NOT co.paused
       AND NOT EXISTS (SELECT 1 FROM inbox l WHERE l.company_id = i.company_id
             AND l.customer_id = i.customer_id AND l.id > i.id
             AND (l.state <> 'silent'
                  OR l.sender = 'owner' AND l.reason NOT IN ('gave the chat back', 'automatic text')))
       AND NOT EXISTS (SELECT 1 FROM agent_logs a WHERE a.customer_id = i.customer_id
             AND a.event_type = 'handover_requested' AND a.event_data ->> 'reason' = 'another_robot'
             AND a.created_at > i.received_at - make_interval(secs => p_seconds))
     ORDER BY i.id FOR UPDATE OF i SKIP LOCKED);
  GET DIAGNOSTICS v_messages = ROW_COUNT;
  RETURN v_messages;
END $$;

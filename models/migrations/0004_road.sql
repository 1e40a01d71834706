-- The road: one function a step, one statement each, so a step is one round trip and atomic.
-- Every function sets its own scope for the length of its statement: road_* a company's,
-- desk_* the system's. Names of parameters start with p_.
-- Rows are locked in this order, so that no two steps wait for each other: a customer, its
-- outbox, its turn, its inbox.

-- What a step says is done is on the server's disk, also where the server is set to confirm earlier:
-- otherwise its crash would forget what was accepted, and that something was sent.
CREATE FUNCTION enter_company(p_company uuid) RETURNS void LANGUAGE sql AS $$
  SELECT set_config('app.company_id', p_company::text, true), set_config('app.system', 'off', true),
         CASE current_setting('synchronous_commit')
           WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END;
$$;

CREATE FUNCTION enter_system() RETURNS void LANGUAGE sql AS $$
  SELECT set_config('app.company_id', '00000000-0000-0000-0000-000000000000', true),
         set_config('app.system', 'on', true);
$$;

-- A time of ours that has not come yet: the clock was set back since. Whoever waits for it, waits
-- no longer; otherwise an hour's correction would be an hour's silence.
CREATE FUNCTION set_back(p_at timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT p_at > now() + interval '1 minute';
$$;

-- Which customer a message belongs to, made when unknown: the number decides where it is shown,
-- else the LID. A customer known only by LID gains the number with the first message that shows
-- it; one who stands in two rows until then becomes one (road_merge). WhatsApp tells accounts apart by
-- LID: a number that comes with another LID than before has changed hands, and whoever had it keeps
-- the row and loses the number (road_free_number). former: the phone under which the customer was
-- known until now.
CREATE FUNCTION road_customer(p_company uuid, p_phone text, p_lid text, p_name text,
                              OUT id uuid, OUT former text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE v_hidden boolean := p_phone LIKE 'lid%'; v_lid text; v_by_lid uuid; v_phone text;
BEGIN
  SELECT c.id, c.whatsapp_lid INTO road_customer.id, v_lid FROM customers c
   WHERE c.company_id = p_company AND c.phone = p_phone;
  IF FOUND AND (p_lid IS NULL OR v_lid = p_lid) THEN RETURN; END IF;
  IF v_hidden THEN
    SELECT c.id INTO road_customer.id FROM customers c
     WHERE c.company_id = p_company AND c.whatsapp_lid = p_lid;
    IF FOUND THEN RETURN; END IF;
  END IF;

  -- Something is to be learned. One at a time for this number and for this LID, always in this
  -- order; what another one has just learned is seen.
  PERFORM pg_advisory_xact_lock(hashtextextended(p_company || p_phone, 0));
  PERFORM pg_advisory_xact_lock(hashtextextended(p_company || ' lid ' || p_lid, 0))
    WHERE p_lid IS NOT NULL;
  SELECT c.id, c.whatsapp_lid INTO road_customer.id, v_lid FROM customers c
   WHERE c.company_id = p_company AND c.phone = p_phone;
  SELECT c.id, c.phone INTO v_by_lid, v_phone FROM customers c
   WHERE c.company_id = p_company AND c.whatsapp_lid = p_lid;
  IF v_lid <> p_lid THEN
    PERFORM road_free_number(p_company, id, v_by_lid);
    id := NULL;
  END IF;
  IF id IS NULL AND v_by_lid IS NULL THEN
    INSERT INTO customers (company_id, phone, name, whatsapp_lid)
    VALUES (p_company, p_phone, p_name, p_lid)
    ON CONFLICT (company_id, phone) DO UPDATE SET name = coalesce(customers.name, excluded.name)
    RETURNING customers.id INTO road_customer.id;
  ELSIF id IS NULL THEN
    id := v_by_lid;
    IF NOT v_hidden THEN
      UPDATE customers SET phone = p_phone WHERE company_id = p_company AND customers.id = v_by_lid;
      former := v_phone;
    END IF;
  ELSIF v_lid IS NULL AND v_by_lid IS NULL THEN
    UPDATE customers SET whatsapp_lid = p_lid
     WHERE company_id = p_company AND customers.id = road_customer.id;
  ELSIF v_lid IS NULL AND v_phone LIKE 'lid%' THEN
    PERFORM road_merge(p_company, v_by_lid, road_customer.id);
    former := v_phone;
  END IF;
END $$;

-- A newer message takes back an answer of which nothing has left yet, at most twice a turn.
CREATE FUNCTION road_supersede(p_company uuid, p_customer uuid) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE v_turn uuid;
BEGIN
  SELECT t.id INTO v_turn
    FROM outbox o JOIN turns t ON t.id = o.turn_id
   WHERE o.company_id = p_company AND o.customer_id = p_customer AND o.state = 'ready'
     AND o.kind = 'reply' AND t.superseded < 2
   LIMIT 1;
  IF v_turn IS NULL THEN RETURN false; END IF;
  -- A person who stood in two rows may have an open turn and another one's answer.
  IF EXISTS (SELECT 1 FROM turns WHERE company_id = p_company AND customer_id = p_customer
              AND state = 'open') THEN RETURN false; END IF;
  -- Delivery locks the same rows: whoever wins them decides.
  PERFORM 1 FROM outbox WHERE turn_id = v_turn ORDER BY id FOR UPDATE;
  IF EXISTS (SELECT 1 FROM outbox WHERE turn_id = v_turn
              AND state NOT IN ('ready', 'superseded')) THEN RETURN false; END IF;
  -- A turn that hands over or changes the customer's consent is final.
  IF EXISTS (SELECT 1 FROM turns WHERE id = v_turn AND details ? 'final') THEN RETURN false; END IF;
  UPDATE outbox SET state = 'superseded', reason = 'a newer message arrived'
   WHERE turn_id = v_turn AND state = 'ready';
  -- Its lane waits for quiet; if that lane is lost, a sweep takes the turn up when it is due.
  UPDATE turns SET state = 'open', host_id = NULL, due_at = now() + interval '5 seconds',
         closed_at = NULL, superseded = superseded + 1 WHERE id = v_turn;
  UPDATE inbox SET state = 'taken' WHERE turn_id = v_turn;
  RETURN true;
END $$;

-- Intake. verdict: new | collision | duplicate; reason: why it will not be answered, or null.
-- p_over: that reason where the customer's window of the rate limit is known to be full; null for
-- a message that the limit does not count.
CREATE FUNCTION road_accept(
  p_company uuid, p_wa_id text, p_channel text, p_sender text, p_phone text, p_lid text,
  p_chat text, p_name text, p_kind text, p_content text, p_sent_at timestamptz,
  p_journal_seq bigint, p_reason text, p_pause_seconds double precision, p_over text,
  p_details jsonb DEFAULT NULL,
  OUT verdict text, OUT inbox_id bigint, OUT customer_id uuid, OUT reason text,
  OUT customer_name text, OUT stage text, OUT phone text, OUT former text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_customer uuid; v_wa text := p_wa_id; v_other uuid;
  v_paused boolean; v_pause text; v_full boolean;
BEGIN
  PERFORM enter_company(p_company);
  LOOP
    SELECT r.id, r.former INTO v_customer, road_accept.former FROM road_customer(
      p_company, p_phone, p_lid, CASE WHEN p_sender = 'customer' THEN p_name END) r;
    SELECT (c.paused_until > now()) IS TRUE OR co.paused, coalesce(c.pause_reason, 'company'),
           (c.limited_until > now()) IS TRUE
      INTO v_paused, v_pause, v_full
      FROM customers c JOIN companies co ON co.id = c.company_id
     WHERE c.company_id = p_company AND c.id = v_customer FOR NO KEY UPDATE OF c;
    EXIT WHEN FOUND;  -- Else it has become one with another row in this moment.
  END LOOP;
  verdict := 'new';
  SELECT i.customer_id INTO v_other FROM inbox i
   WHERE i.company_id = p_company AND i.wa_id = p_wa_id;
  IF FOUND THEN
    IF v_other = v_customer THEN
      verdict := 'duplicate'; customer_id := v_customer; RETURN;
    END IF;
    v_wa := p_wa_id || '#' || v_customer; verdict := 'collision';
  END IF;

  reason := CASE WHEN p_sender = 'owner' THEN 'written by the owner'
                 WHEN p_reason IS NOT NULL THEN p_reason
                 WHEN v_paused THEN 'paused: ' || v_pause
                 WHEN v_full THEN p_over END;

  INSERT INTO inbox (company_id, customer_id, wa_id, channel, sender, chat, kind, content,
                     sent_at, journal_seq, state, reason, details)
  VALUES (p_company, v_customer, v_wa, p_channel, p_sender, p_chat, p_kind, p_content,
          p_sent_at, p_journal_seq, CASE WHEN reason IS NULL THEN 'pending' ELSE 'silent' END, reason,
          p_details)
  ON CONFLICT (company_id, wa_id) DO NOTHING
  RETURNING inbox.id INTO inbox_id;
  customer_id := v_customer;
  IF inbox_id IS NULL THEN verdict := 'duplicate'; RETURN; END IF;

  IF p_sender = 'owner' THEN
    -- Whose LID and number are in two rows that each have another number is paused in both.
    UPDATE customers c SET pause_reason = 'owner', paused_until =
           greatest(c.paused_until, now() + make_interval(secs => p_pause_seconds))
     WHERE c.company_id = p_company AND c.whatsapp_lid = p_lid AND c.id <> v_customer;
    UPDATE customers c SET pause_reason = 'owner', paused_until =
           greatest(c.paused_until, now() + make_interval(secs => p_pause_seconds))
     WHERE c.company_id = p_company AND c.id = v_customer
     RETURNING c.name, c.stage, c.phone INTO customer_name, stage, road_accept.phone;
  ELSE
    UPDATE customers c SET last_interaction = greatest(c.last_interaction, p_sent_at),
           total_interactions = c.total_interactions + 1, name = coalesce(c.name, p_name)
     WHERE c.company_id = p_company AND c.id = v_customer
     RETURNING c.name, c.stage, c.phone INTO customer_name, stage, road_accept.phone;
    IF reason IS NULL THEN PERFORM road_supersede(p_company, v_customer); END IF;
  END IF;
END $$;

-- The customer's window of the rate limit is full for so long. Kept before the next message comes,
-- so that one is silent from the start: it takes no answer back and joins no turn. p_inbox: a
-- message that was found to be over only after it was kept, or null.
CREATE FUNCTION road_limit(p_company uuid, p_customer uuid, p_seconds double precision,
                           p_inbox bigint, p_over text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM enter_company(p_company);
  p_customer := road_lock(p_company, p_customer);
  UPDATE customers SET limited_until = now() + make_interval(secs => p_seconds)
   WHERE company_id = p_company AND id = p_customer;
  UPDATE inbox SET state = 'silent', reason = p_over
   WHERE company_id = p_company AND id = p_inbox AND state = 'pending';
END $$;

-- The window was not full any more (it ended this moment, or Redis was emptied or is away): the
-- message is like any other.
CREATE FUNCTION road_admit(p_company uuid, p_customer uuid, p_inbox bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM enter_company(p_company);
  p_customer := road_lock(p_company, p_customer);
  PERFORM road_supersede(p_company, p_customer);
  UPDATE inbox SET state = 'pending', reason = NULL
   WHERE company_id = p_company AND id = p_inbox AND state = 'silent';
END $$;

-- A notice is not a turn's reply; the caller bounds how many a chat gets.
CREATE FUNCTION road_notice(p_company uuid, p_customer uuid, p_channel text, p_chat text, p_text text)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v_id bigint;
BEGIN
  PERFORM enter_company(p_company);
  INSERT INTO outbox (company_id, customer_id, kind, channel, chat, content)
  VALUES (p_company, road_lock(p_company, p_customer), 'notice', p_channel, p_chat, p_text) RETURNING id INTO v_id;
  RETURN v_id;
END $$;

CREATE FUNCTION road_close_silent(p_company uuid, p_turn uuid, p_reason text, p_handler text)
RETURNS void LANGUAGE sql AS $$
  UPDATE inbox SET state = 'silent', reason = p_reason
   WHERE company_id = p_company AND turn_id = p_turn AND state = 'taken';
  UPDATE turns SET state = 'silent', reason = p_reason, handler = p_handler, closed_at = now(),
         due_at = NULL
   WHERE company_id = p_company AND id = p_turn;
$$;

-- The id under which a conversation remembers a message: a collision's (`id#customer`) without
-- its addition, because it is one message when the two customers turn out to be one.
CREATE FUNCTION line_id(p_wa_id text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN length(p_wa_id) > 37 AND left(right(p_wa_id, 37), 1) = '#'
              THEN left(p_wa_id, -37) ELSE p_wa_id END;
$$;

-- Everything a turn needs, in one document. outcome: claimed | busy | nothing | silent.
CREATE FUNCTION road_claim(p_company uuid, p_customer uuid, p_host uuid) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE v_customer customers; v_company companies; v_turn turns; v_first inbox; v_early boolean;
BEGIN
  PERFORM enter_company(p_company);
  -- The customer's row serialises claims, answers and pauses of one chat.
  SELECT * INTO v_customer FROM customers
   WHERE company_id = p_company AND id = p_customer FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    p_customer := road_lock(p_company, p_customer);
    SELECT * INTO v_customer FROM customers WHERE company_id = p_company AND id = p_customer;
  END IF;
  IF NOT FOUND THEN RETURN jsonb_build_object('outcome', 'nothing'); END IF;
  SELECT * INTO v_turn FROM turns
   WHERE company_id = p_company AND customer_id = p_customer AND state = 'open';
  IF FOUND AND v_turn.host_id IS NOT NULL THEN RETURN jsonb_build_object('outcome', 'busy'); END IF;
  IF EXISTS (SELECT 1 FROM outbox WHERE company_id = p_company AND customer_id = p_customer
              AND state IN ('ready', 'sending') AND kind = 'reply') THEN
    RETURN jsonb_build_object('outcome', 'busy');
  END IF;
  SELECT * INTO v_first FROM inbox WHERE company_id = p_company AND customer_id = p_customer
     AND state = 'pending' ORDER BY id DESC LIMIT 1;
  -- Nothing waits, or only for the model's next try: a bell that rings twice asks it once.
  IF v_first.id IS NULL AND (v_turn.id IS NULL OR v_turn.tries > 0 AND v_turn.due_at > now()
      AND NOT set_back(v_turn.claimed_at)) THEN
    RETURN jsonb_build_object('outcome', 'nothing');
  END IF;
  IF v_turn.id IS NULL THEN
    INSERT INTO turns (company_id, customer_id, channel, chat, host_id, claimed_at)
    VALUES (p_company, p_customer, v_first.channel, v_first.chat, p_host, now()) RETURNING * INTO v_turn;
  ELSE
    -- Taken up before its next try was due, because the customer wrote more: in vain, that takes
    -- nothing from the tries, and the next one stays due when it was.
    v_early := v_turn.tries > 0 AND v_turn.due_at > now() AND NOT set_back(v_turn.claimed_at);
    UPDATE turns SET host_id = p_host, attempt = attempt + 1, claimed_at = now(),
           due_at = CASE WHEN v_early THEN due_at END,
           tries = CASE WHEN v_early THEN tries - 1 ELSE tries END,
           channel = coalesce(v_first.channel, channel), chat = coalesce(v_first.chat, chat)
     WHERE id = v_turn.id RETURNING * INTO v_turn;
  END IF;
  UPDATE inbox SET state = 'taken', turn_id = v_turn.id
   WHERE company_id = p_company AND customer_id = p_customer AND state = 'pending';

  SELECT * INTO v_company FROM companies WHERE id = p_company;
  IF v_company.paused OR NOT v_company.active THEN
    PERFORM road_close_silent(p_company, v_turn.id, 'paused: company', NULL);
    RETURN jsonb_build_object('outcome', 'silent', 'reason', 'paused: company');
  END IF;
  IF v_customer.paused_until > now() THEN
    PERFORM road_close_silent(p_company, v_turn.id, 'paused: ' || v_customer.pause_reason, NULL);
    RETURN jsonb_build_object('outcome', 'silent', 'reason', 'paused: ' || v_customer.pause_reason);
  END IF;

  RETURN jsonb_build_object(
    'outcome', 'claimed',
    'manner', road_manner(v_company),
    'turn', jsonb_build_object('id', v_turn.id, 'attempt', v_turn.attempt, 'tries', v_turn.tries,
                               'deferred', coalesce((v_turn.details ->> 'deferred')::int, 0),
                               'superseded', v_turn.superseded,
                               'channel', v_turn.channel, 'chat', v_turn.chat),
    'customer', jsonb_build_object('id', v_customer.id, 'phone', v_customer.phone,
                  'name', v_customer.name, 'stage', v_customer.stage,
                  'opted_out', v_customer.opted_out),
    'company', jsonb_build_object('id', v_company.id, 'name', v_company.name,
                 'brand_personality', v_company.brand_personality,
                 'system_prompt', v_company.system_prompt),
    'products', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', p.id, 'name', p.name,
                   'description', p.description, 'price', p.price::text, 'currency', p.currency,
                   'payment_link', p.payment_link, 'image', p.image) ORDER BY p.created_at, p.id), '[]'::jsonb)
                   FROM products p WHERE p.company_id = p_company AND p.active),
    'messages', (SELECT jsonb_agg(jsonb_build_object('id', line_id(m.wa_id), 'row', m.id, 'at', m.sent_at,
                   'text', m.content, 'kind', m.kind,
                   'quote', m.details -> 'quote') ORDER BY m.sent_at, m.journal_seq, m.id)
                   FROM inbox m WHERE m.company_id = p_company AND m.turn_id = v_turn.id),
    'unremembered', road_unremembered(p_company, p_customer, v_turn.id));
END $$;

-- The newest ledger rows that the conversation document may not hold yet.
CREATE FUNCTION road_unremembered(p_company uuid, p_customer uuid, p_turn uuid) RETURNS jsonb
LANGUAGE sql AS $$
  SELECT coalesce(jsonb_agg(to_jsonb(l) ORDER BY l.at, l.id), '[]'::jsonb) FROM (
    (SELECT line_id(wa_id) AS id, sent_at AS at, sender, content AS text FROM inbox
      WHERE company_id = p_company AND customer_id = p_customer AND NOT remembered
        AND turn_id IS DISTINCT FROM p_turn AND (details -> 'applied') IS NULL
      ORDER BY id DESC LIMIT 20)
    UNION ALL
    (SELECT coalesce(wa_id, 'outbox-' || id), sent_at, 'agent', content FROM outbox
      WHERE company_id = p_company AND customer_id = p_customer AND state = 'sent'
        AND NOT remembered ORDER BY id DESC LIMIT 20)) l;
$$;

-- The answer, compare-and-set on turn and attempt. outcome: ready | lost | joined | silent.
CREATE FUNCTION road_answer(
  p_company uuid, p_turn uuid, p_attempt int, p_host uuid, p_parts text[], p_handler text,
  p_ai jsonb, p_stage text, p_pause_minutes int, p_pause_reason text, p_opt_out boolean,
  p_event text, p_event_data jsonb, p_details jsonb,
  OUT outcome text, OUT outbox_ids bigint[])
LANGUAGE plpgsql AS $$
DECLARE v_turn turns; v_customer customers;
BEGIN
  PERFORM enter_company(p_company);
  LOOP
    SELECT c.* INTO v_customer FROM customers c JOIN turns t ON t.customer_id = c.id
     WHERE t.id = p_turn AND c.company_id = p_company FOR NO KEY UPDATE OF c;
    -- Not there: it has become another customer's turn while we waited, or there is none.
    EXIT WHEN FOUND OR NOT EXISTS (SELECT 1 FROM turns WHERE company_id = p_company AND id = p_turn);
  END LOOP;
  -- What an answer that was taken back has cost is not forgotten.
  UPDATE turns SET state = 'answered', handler = p_handler, closed_at = now(), due_at = NULL,
         details = CASE WHEN details ? 'asked' THEN p_details || jsonb_build_object('asked',
           (details -> 'asked') || coalesce(p_details -> 'asked', '[]')) ELSE p_details END
   WHERE company_id = p_company AND id = p_turn AND attempt = p_attempt AND host_id = p_host
     AND state = 'open' RETURNING * INTO v_turn;
  IF NOT FOUND THEN outcome := 'lost'; RETURN; END IF;
  IF v_customer.paused_until > now() THEN
    PERFORM road_close_silent(p_company, p_turn, 'paused: ' || v_customer.pause_reason, p_handler);
    outcome := 'silent'; RETURN;
  END IF;
  IF v_turn.superseded < 2 AND EXISTS (
      SELECT 1 FROM inbox WHERE company_id = p_company AND customer_id = v_customer.id
         AND state = 'pending') THEN
    UPDATE turns SET state = 'open', host_id = NULL, due_at = now() + interval '5 seconds',
           closed_at = NULL, superseded = superseded + 1 WHERE id = p_turn;
    outcome := 'joined'; RETURN;
  END IF;
  WITH written AS (
    INSERT INTO outbox (company_id, customer_id, turn_id, part, kind, channel, chat, content, ai_metadata)
    SELECT p_company, v_customer.id, p_turn, part, 'reply', v_turn.channel, v_turn.chat, content,
           CASE WHEN part = 1 THEN p_ai END
      FROM unnest(p_parts) WITH ORDINALITY AS parts(content, part) RETURNING id)
  SELECT array_agg(id ORDER BY id) INTO outbox_ids FROM written;
  UPDATE inbox SET state = 'answered' WHERE company_id = p_company AND turn_id = p_turn;
  IF p_stage IS NOT NULL OR p_pause_minutes IS NOT NULL OR p_opt_out IS NOT NULL THEN
    UPDATE customers SET stage = coalesce(p_stage, stage), opted_out = coalesce(p_opt_out, opted_out),
           pause_reason = CASE WHEN p_pause_minutes IS NULL THEN pause_reason ELSE p_pause_reason END,
           paused_until = CASE WHEN p_pause_minutes IS NULL THEN paused_until
                               ELSE now() + make_interval(mins => p_pause_minutes) END
     WHERE company_id = p_company AND id = v_customer.id;
  END IF;
  IF p_event IS NOT NULL THEN
    INSERT INTO agent_logs (company_id, agent_type, event_type, event_data, customer_id)
    VALUES (p_company, 'customer-acquisition', p_event, p_event_data, v_customer.id);
  END IF;
  outcome := 'ready';
END $$;

-- A turn that ends in a recorded silence.
CREATE FUNCTION road_silence(p_company uuid, p_turn uuid, p_attempt int, p_host uuid,
                             p_reason text, p_handler text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM enter_company(p_company);
  PERFORM 1 FROM turns WHERE company_id = p_company AND id = p_turn AND attempt = p_attempt
      AND host_id = p_host AND state = 'open' FOR UPDATE;
  IF NOT FOUND THEN RETURN false; END IF;
  PERFORM road_close_silent(p_company, p_turn, p_reason, p_handler);
  RETURN true;
END $$;

-- Nobody could answer: the turn waits, and the chat gets at most one notice in p_notice_minutes.
CREATE FUNCTION road_defer(p_company uuid, p_turn uuid, p_attempt int, p_host uuid,
  p_delay_seconds double precision, p_reason text, p_notice text, p_notice_minutes int,
  OUT deferred boolean, OUT notice_id bigint)
LANGUAGE plpgsql AS $$
DECLARE v_turn turns;
BEGIN
  PERFORM enter_company(p_company);
  LOOP
    PERFORM 1 FROM customers c JOIN turns t ON t.customer_id = c.id AND t.company_id = c.company_id
      WHERE t.company_id = p_company AND t.id = p_turn FOR NO KEY UPDATE OF c;
    EXIT WHEN FOUND OR NOT EXISTS (SELECT 1 FROM turns WHERE company_id = p_company AND id = p_turn);
  END LOOP;
  UPDATE turns SET host_id = NULL, tries = tries + 1, reason = p_reason,
         due_at = CASE WHEN due_at > now() THEN due_at
                       ELSE now() + make_interval(secs => p_delay_seconds) END,
         details = coalesce(details, '{}') || jsonb_build_object('deferred',
                     coalesce((details ->> 'deferred')::int, 0) + 1)
   WHERE company_id = p_company AND id = p_turn AND attempt = p_attempt AND host_id = p_host
     AND state = 'open' RETURNING * INTO v_turn;
  deferred := FOUND;
  IF NOT deferred OR p_notice IS NULL THEN RETURN; END IF;
  UPDATE customers SET noticed_at = now() WHERE company_id = p_company AND id = v_turn.customer_id
     AND (noticed_at IS NULL OR noticed_at < now() - make_interval(mins => p_notice_minutes)
          OR set_back(noticed_at))
     AND (paused_until IS NULL OR paused_until < now());
  IF FOUND THEN
    INSERT INTO outbox (company_id, customer_id, kind, channel, chat, content)
    VALUES (p_company, v_turn.customer_id, 'notice', v_turn.channel, v_turn.chat, p_notice)
    RETURNING id INTO notice_id;
  END IF;
END $$;

-- What a wire may send now, oldest first; a terminal asks for its own chat alone. Parts after one
-- whose end is not known yet are left out.
CREATE FUNCTION road_ready(p_company uuid, p_channel text, p_chat text, p_limit int) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE v_manner jsonb;
BEGIN
  PERFORM enter_company(p_company);
  SELECT road_manner(c) INTO v_manner FROM companies c WHERE c.id = p_company;
  RETURN (SELECT coalesce(jsonb_agg(to_jsonb(r) ORDER BY r.id), '[]'::jsonb) FROM (
    SELECT o.id, o.customer_id, o.turn_id, o.kind, o.chat, o.content, o.ai_metadata, o.part,
           c.phone, c.name, c.stage, CASE WHEN o.part = 1 THEN t.details ->> 'picture' END AS picture,
           v_manner AS manner,
           (SELECT jsonb_build_object('id', q.wa_id, 'text', q.content) FROM inbox q
             WHERE q.company_id = p_company AND q.wa_id = t.details ->> 'quote' AND o.part = 1) AS quote
      FROM outbox o JOIN customers c ON c.company_id = o.company_id AND c.id = o.customer_id
      LEFT JOIN turns t ON t.id = o.turn_id
     WHERE o.company_id = p_company AND o.state = 'ready' AND o.channel = p_channel
       AND (p_chat IS NULL OR o.chat = p_chat)
       AND NOT EXISTS (SELECT 1 FROM outbox earlier WHERE earlier.turn_id = o.turn_id
             AND earlier.part < o.part AND earlier.state = 'sending')
     ORDER BY o.id LIMIT p_limit) r);
END $$;

-- The last look before a part leaves. outcome: go | stopped | gone.
CREATE FUNCTION road_sending(p_company uuid, p_outbox bigint, p_host uuid, p_fence bigint,
                             p_secret bytea, p_sessions_hash text,
                             p_oldest_seconds double precision) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE v_row outbox; v_stop text;
BEGIN
  PERFORM enter_company(p_company);
  SELECT * INTO v_row FROM outbox WHERE company_id = p_company AND id = p_outbox FOR UPDATE;
  IF NOT FOUND OR v_row.state <> 'ready' THEN RETURN 'gone'; END IF;
  -- Replies to one person leave in order: an earlier one whose end is open comes first.
  IF v_row.kind = 'reply' AND EXISTS (SELECT 1 FROM outbox WHERE company_id = p_company
      AND customer_id = v_row.customer_id AND channel = v_row.channel AND id < p_outbox
      AND state IN ('ready', 'sending') AND kind = 'reply') THEN RETURN 'gone'; END IF;
  IF v_row.channel = 'whatsapp' AND NOT EXISTS (SELECT 1 FROM session_leases
      WHERE company_id = p_company AND host_id = p_host AND fence = p_fence) THEN
    RETURN 'gone';
  END IF;
  -- A hand-over's own farewell is written together with its pause, so that pause lets it pass.
  SELECT CASE WHEN v_row.created_at < now() - make_interval(secs => p_oldest_seconds)
              THEN 'too old to be said'
              WHEN co.paused THEN 'paused: company'
              WHEN c.paused_until > now() AND c.pause_reason <> 'handover'
              THEN 'paused: ' || c.pause_reason END INTO v_stop
    FROM customers c JOIN companies co ON co.id = c.company_id
   WHERE c.company_id = p_company AND c.id = v_row.customer_id;
  IF v_stop IS NOT NULL THEN
    PERFORM road_stop(p_company, p_outbox, v_stop);
    RETURN 'stopped';
  END IF;
  UPDATE outbox SET state = 'sending', sending_at = now(), host_id = p_host, fence = p_fence,
         message_secret = p_secret, sessions_hash = p_sessions_hash
   WHERE company_id = p_company AND id = p_outbox;
  RETURN 'go';
END $$;

-- The owner took over: this part and those after it stay unsaid, and the reason is recorded.
CREATE FUNCTION road_stop(p_company uuid, p_outbox bigint, p_reason text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE v_turn uuid;
BEGIN
  PERFORM enter_company(p_company);
  SELECT turn_id INTO v_turn FROM outbox WHERE company_id = p_company AND id = p_outbox;
  UPDATE outbox SET state = 'stopped', reason = p_reason
   WHERE company_id = p_company AND state IN ('ready', 'sending')
     AND (id = p_outbox OR (turn_id = v_turn AND id > p_outbox));
  IF v_turn IS NOT NULL AND NOT EXISTS (SELECT 1 FROM outbox
      WHERE turn_id = v_turn AND state IN ('ready', 'sending', 'sent')) THEN
    UPDATE turns SET state = 'silent', reason = p_reason WHERE company_id = p_company AND id = v_turn;
    UPDATE inbox SET state = 'silent', reason = p_reason
     WHERE company_id = p_company AND turn_id = v_turn;
  END IF;
END $$;

-- Locks the customer of a part, who may become another while we wait.
CREATE FUNCTION road_lock_part(p_company uuid, p_outbox bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  LOOP
    PERFORM 1 FROM customers c JOIN outbox o ON o.customer_id = c.id AND o.company_id = c.company_id
      WHERE o.company_id = p_company AND o.id = p_outbox FOR NO KEY UPDATE OF c;
    EXIT WHEN FOUND
      OR NOT EXISTS (SELECT 1 FROM outbox WHERE company_id = p_company AND id = p_outbox);
  END LOOP;
END $$;

-- A part has left: metrics and the log line in the same statement. True: more is waiting.
CREATE FUNCTION road_sent(p_company uuid, p_outbox bigint, p_wa_id text, p_confirmed boolean)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE v_row outbox;
BEGIN
  PERFORM enter_company(p_company);
  PERFORM road_lock_part(p_company, p_outbox);
  UPDATE outbox SET state = 'sent', sent_at = now(), wa_id = p_wa_id, confirmed = p_confirmed
   WHERE company_id = p_company AND id = p_outbox AND state = 'sending' RETURNING * INTO v_row;
  IF NOT FOUND THEN RETURN false; END IF;
  UPDATE customers SET last_interaction = greatest(last_interaction, now())
   WHERE company_id = p_company AND id = v_row.customer_id;
  INSERT INTO agent_logs (company_id, agent_type, event_type, event_data, customer_id, tokens_used,
                          response_time_ms)
  VALUES (p_company, 'customer-acquisition', CASE v_row.kind WHEN 'reply' THEN 'message_sent' ELSE 'notice_sent' END,
          jsonb_strip_nulls(jsonb_build_object('outboxId', v_row.id, 'turnId', v_row.turn_id,
            'part', v_row.part, 'waId', p_wa_id, 'channel', v_row.channel,
            'model', v_row.ai_metadata ->> 'model', 'confirmed', p_confirmed))
          || coalesce((SELECT details - ARRAY['final', 'quote'] FROM turns WHERE id = v_row.turn_id), '{}'::jsonb),
          v_row.customer_id, (v_row.ai_metadata ->> 'tokensUsed')::int,
          (v_row.ai_metadata ->> 'responseTime')::int);
  RETURN EXISTS (SELECT 1 FROM inbox WHERE company_id = p_company
                  AND customer_id = v_row.customer_id AND state = 'pending');
END $$;

-- Both in one step: a busy wire has sent one part in the moment in which it takes the next.
CREATE FUNCTION road_sent_and_sending(
  p_company uuid, p_sent bigint, p_wa_id text, p_confirmed boolean,
  p_outbox bigint, p_host uuid, p_fence bigint, p_secret bytea, p_sessions_hash text,
  p_oldest_seconds double precision, OUT more boolean, OUT outcome text)
LANGUAGE plpgsql AS $$
BEGIN
  more := road_sent(p_company, p_sent, p_wa_id, p_confirmed);
  outcome := road_sending(p_company, p_outbox, p_host, p_fence, p_secret, p_sessions_hash,
                          p_oldest_seconds);
END $$;

-- A send that certainly never left: ready again with a new secret, or failed for good.
-- Only the try that carried p_secret: a verdict that comes late must not touch a newer one.
CREATE FUNCTION road_unsent(p_company uuid, p_outbox bigint, p_secret bytea, p_give_up boolean,
                            p_reason text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_turn uuid; v_customer uuid;
BEGIN
  PERFORM enter_company(p_company);
  IF p_give_up THEN PERFORM road_lock_part(p_company, p_outbox); END IF;
  UPDATE outbox SET state = CASE WHEN p_give_up THEN 'failed' ELSE 'ready' END, reason = p_reason,
         message_secret = NULL, sessions_hash = NULL, fence = NULL, host_id = NULL, sending_at = NULL
   WHERE company_id = p_company AND id = p_outbox AND state = 'sending'
     AND message_secret = p_secret
   RETURNING turn_id, customer_id INTO v_turn, v_customer;
  IF NOT FOUND OR NOT p_give_up THEN RETURN; END IF;
  INSERT INTO agent_logs (company_id, agent_type, event_type, event_data, customer_id)
  VALUES (p_company, 'customer-acquisition', 'message_failed',
          jsonb_build_object('outboxId', p_outbox, 'reason', p_reason), v_customer);
  UPDATE outbox SET state = 'stopped', reason = 'an earlier part was refused'
   WHERE company_id = p_company AND turn_id = v_turn AND state = 'ready';
  IF NOT EXISTS (SELECT 1 FROM outbox WHERE turn_id = v_turn AND state IN ('sending', 'sent')) THEN
    UPDATE turns SET state = 'failed', reason = p_reason WHERE company_id = p_company AND id = v_turn;
    UPDATE inbox SET state = 'silent', reason = p_reason
     WHERE company_id = p_company AND turn_id = v_turn;
  END IF;
END $$;

-- Sends whose end nobody saw: of a session, those with an older fence; of a terminal, of its chat.
CREATE FUNCTION road_unsettled(p_company uuid, p_channel text, p_chat text, p_fence bigint)
RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
  PERFORM enter_company(p_company);
  RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'chat', chat,
            'secret', encode(message_secret, 'hex'), 'sessions_hash', sessions_hash) ORDER BY id), '[]'::jsonb)
    FROM outbox WHERE company_id = p_company AND channel = p_channel AND state = 'sending'
     AND (p_chat IS NULL OR chat = p_chat) AND (p_fence IS NULL OR fence < p_fence));
END $$;

-- What became of one message: its state, its reason, and how many parts are still under way.
CREATE FUNCTION road_fate(p_company uuid, p_wa_id text,
  OUT state text, OUT reason text, OUT open_parts bigint, OUT sent_parts bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM enter_company(p_company);
  SELECT i.state, i.reason, count(o.id) FILTER (WHERE o.state IN ('ready', 'sending')),
         count(o.id) FILTER (WHERE o.state = 'sent')
    INTO road_fate.state, road_fate.reason, open_parts, sent_parts
    FROM inbox i LEFT JOIN outbox o ON o.turn_id = i.turn_id
   WHERE i.company_id = p_company AND i.wa_id = p_wa_id GROUP BY i.id;
END $$;

-- A session's lease. Null: another living host holds it.
CREATE FUNCTION road_lease(p_company uuid, p_host uuid) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v_fence bigint;
BEGIN
  PERFORM enter_company(p_company);
  INSERT INTO session_leases AS l (company_id, host_id, fence) VALUES (p_company, p_host, 1)
  ON CONFLICT (company_id) DO UPDATE SET host_id = p_host, fence = l.fence + 1, acquired_at = now()
   WHERE l.host_id IS NULL OR l.host_id = p_host
      OR NOT EXISTS (SELECT 1 FROM hosts h WHERE h.id = l.host_id)
  RETURNING l.fence INTO v_fence;
  RETURN v_fence;
END $$;

CREATE FUNCTION road_release(p_company uuid, p_host uuid, p_fence bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM enter_company(p_company);
  UPDATE session_leases SET host_id = NULL
   WHERE company_id = p_company AND host_id = p_host AND fence = p_fence;
END $$;

-- What is known of a company's WhatsApp; false, and nothing kept, while another living host holds
-- the company. A number that another company holds is left to it.
CREATE FUNCTION desk_record_session(p_company uuid, p_host uuid, p_connected boolean, p_phone text,
                                    p_session_data jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM enter_system();
  PERFORM FROM session_leases l JOIN hosts h ON h.id = l.host_id
    WHERE l.company_id = p_company AND l.host_id <> p_host FOR SHARE OF l;
  IF FOUND THEN RETURN false; END IF;
  LOOP
    BEGIN
      UPDATE companies SET whatsapp_connected = p_connected,
             whatsapp_last_connected = CASE WHEN p_connected THEN now() ELSE whatsapp_last_connected END,
             whatsapp_session_data = p_session_data,
             whatsapp_phone = CASE WHEN p_phone IS NULL OR EXISTS (
                 SELECT 1 FROM companies o WHERE o.whatsapp_phone = p_phone AND o.id <> p_company)
               THEN whatsapp_phone ELSE p_phone END
       WHERE id = p_company;
      RETURN true;
    EXCEPTION WHEN unique_violation THEN
      NULL;  -- Another company has claimed it in this very moment, and now it is seen.
    END;
  END LOOP;
END $$;

-- Makes a number a company's own: null, or the device that has it ('' where that is not known).
-- p_without: the reasons of companies without a device; their number changes hands, and so does
-- that of a company that is not active.
CREATE FUNCTION desk_claim_number(p_company uuid, p_phone text, p_without text[]) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE v_other uuid; v_data jsonb; v_active boolean;
BEGIN
  PERFORM enter_system();
  SELECT c.id, c.whatsapp_session_data, c.active AND u.status = 'active'
    INTO v_other, v_data, v_active
    FROM companies c JOIN users u ON u.id = c.owner_id
   WHERE c.whatsapp_phone = p_phone AND c.id <> p_company FOR UPDATE OF c;
  IF FOUND THEN
    IF v_active AND coalesce(v_data ->> 'reason', '') <> ALL (p_without) THEN
      RETURN coalesce(v_data ->> 'jid', '');
    END IF;
    UPDATE companies SET whatsapp_phone = NULL WHERE id = v_other;
  END IF;
  UPDATE companies SET whatsapp_phone = p_phone WHERE id = p_company;
  RETURN NULL;
EXCEPTION WHEN unique_violation THEN
  RETURN '';  -- Another company claimed it in this very moment.
END $$;

-- One heartbeat; answers with everybody's. missing: we had been declared dead meanwhile.
CREATE FUNCTION desk_beat(p_host uuid, p_name text, p_shard int, p_role text,
  OUT missing boolean, OUT beats jsonb)
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM enter_system();
  UPDATE hosts SET beat = beat + 1 WHERE id = p_host;
  missing := NOT FOUND;
  IF missing THEN
    INSERT INTO hosts (id, name, shard, role, beat) VALUES (p_host, p_name, p_shard, p_role, 1)
    ON CONFLICT (id) DO UPDATE SET beat = hosts.beat + 1;
  END IF;
  SELECT jsonb_object_agg(id, beat) INTO beats FROM hosts;
END $$;

-- Hosts that are certainly gone: their open turns become claimable, their rows go.
CREATE FUNCTION desk_bury(p_hosts uuid[]) RETURNS int LANGUAGE plpgsql AS $$
DECLARE v_turns int;
BEGIN
  PERFORM enter_system();
  UPDATE turns SET host_id = NULL, due_at = NULL WHERE state = 'open' AND host_id = ANY (p_hosts);
  GET DIAGNOSTICS v_turns = ROW_COUNT;
  UPDATE session_leases SET host_id = NULL WHERE host_id = ANY (p_hosts);
  DELETE FROM hosts WHERE id = ANY (p_hosts);
  RETURN v_turns;
END $$;

-- Turns of this host that no longer run in it, for example because PostgreSQL was away when
-- they ended: claimable again. p_running: customers whose turns do run, by any id they had.
CREATE FUNCTION desk_strays(p_host uuid, p_running uuid[], p_age_seconds double precision)
RETURNS int LANGUAGE plpgsql AS $$
DECLARE v_turns int;
BEGIN
  PERFORM enter_system();
  UPDATE turns SET host_id = NULL, due_at = NULL
   WHERE state = 'open' AND host_id = p_host AND customer_id <> ALL (p_running)
     AND customer_id NOT IN (SELECT new_id FROM customer_merges WHERE old_id = ANY (p_running))
     AND (claimed_at < now() - make_interval(secs => p_age_seconds) OR set_back(claimed_at));
  GET DIAGNOSTICS v_turns = ROW_COUNT;
  RETURN v_turns;
END $$;

-- Chats that wait for a turn and have none at work, each with the id of its newest message.
-- p_grace_seconds: leave younger ones to their lanes. Where another living host holds the company's
-- session, all are left to it: only its lanes know whether the customer still writes.
-- At most p_limit: of each company the chat that waits longest, before the second of any.
CREATE FUNCTION desk_waiting(p_host uuid, p_grace_seconds double precision, p_limit int)
RETURNS TABLE (company_id uuid, customer_id uuid, wa_id text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM enter_system();
  RETURN QUERY
    SELECT company_id, customer_id, (SELECT i.wa_id FROM inbox i WHERE i.id = newest)::text FROM (
      SELECT company_id, customer_id, max(newest) AS newest FROM (
        SELECT i.company_id, i.customer_id, i.id AS oldest, i.id AS newest FROM inbox i
         WHERE i.state = 'pending'
           AND (i.received_at < now() - make_interval(secs => p_grace_seconds)
                OR set_back(i.received_at))
           -- One list of them: there may be thousands of messages to look up in it.
           AND i.customer_id NOT IN (
             SELECT customer_id FROM turns WHERE state = 'open' AND host_id IS NOT NULL
             UNION ALL SELECT customer_id FROM outbox
              WHERE state IN ('ready', 'sending') AND kind = 'reply')
        UNION ALL
        SELECT t.company_id, t.customer_id, NULL, (SELECT i.id FROM inbox i
                 WHERE i.turn_id = t.id ORDER BY i.id DESC LIMIT 1) FROM turns t
         WHERE t.state = 'open' AND t.host_id IS NULL
           AND (t.due_at <= now() OR t.due_at IS NULL OR set_back(t.claimed_at))) w
      WHERE NOT EXISTS (SELECT 1 FROM session_leases l JOIN hosts h ON h.id = l.host_id
             WHERE l.company_id = w.company_id AND l.host_id <> p_host)
      GROUP BY company_id, customer_id
      ORDER BY row_number() OVER (PARTITION BY company_id ORDER BY min(oldest) NULLS FIRST), company_id
      LIMIT p_limit) chosen;
END $$;

-- Companies and channels with something ready to leave, or with a send that takes long.
CREATE FUNCTION desk_ready() RETURNS TABLE (company_id uuid, channel text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM enter_system();
  RETURN QUERY SELECT DISTINCT o.company_id, o.channel::text FROM outbox o
    WHERE o.state IN ('ready', 'sending')
      AND (o.state = 'ready' OR o.sending_at < now() - interval '5 seconds'
           OR set_back(o.sending_at));
END $$;

-- Ledger rows that no conversation document is known to hold, older than p_age_seconds.
CREATE FUNCTION desk_unremembered(p_age_seconds double precision, p_limit int) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE v_rows jsonb;
BEGIN
  PERFORM enter_system();
  SELECT coalesce(jsonb_agg(to_jsonb(r)), '[]'::jsonb) INTO v_rows FROM (
    (SELECT 'inbox' AS ledger, i.id, i.company_id, i.customer_id, c.phone, c.name, c.stage,
            line_id(i.wa_id) AS line, i.sent_at AS at, i.sender, i.content AS text, NULL::jsonb AS ai,
            i.details ->> 'applied' AS amends,
            (SELECT jsonb_agg(line_id(n.wa_id)) FROM inbox n
              WHERE n.company_id = i.company_id AND n.customer_id = i.customer_id
                AND n.sent_at = i.sent_at AND (n.journal_seq, n.id) > (i.journal_seq, i.id)) AS before
       FROM (SELECT * FROM inbox
              WHERE NOT remembered AND received_at < now() - make_interval(secs => p_age_seconds)
              ORDER BY id LIMIT p_limit) i
       JOIN customers c ON c.company_id = i.company_id AND c.id = i.customer_id)
    UNION ALL
    (SELECT 'outbox', o.id, o.company_id, o.customer_id, c.phone, c.name, c.stage,
            coalesce(o.wa_id, 'outbox-' || o.id), o.sent_at, 'agent', o.content, o.ai_metadata, NULL, NULL
       FROM (SELECT * FROM outbox
              WHERE state = 'sent' AND NOT remembered
                AND sent_at < now() - make_interval(secs => p_age_seconds)
              ORDER BY id LIMIT p_limit) o
       JOIN customers c ON c.company_id = o.company_id AND c.id = o.customer_id)) r;
  -- Whoever did not mark one may have written it under a former id.
  UPDATE customer_merges SET mongo_done = false
   WHERE mongo_done AND merged_at > now() - interval '1 day' AND new_id = ANY (ARRAY(
     SELECT (r ->> 'customer_id')::uuid FROM jsonb_array_elements(v_rows) r));
  RETURN v_rows;
END $$;

-- The conversation documents hold these rows, each under the customer it is given with. Where that
-- is a former id by now, the row stays unmarked and the two documents are united once more.
CREATE FUNCTION desk_remembered(p_inbox bigint[], p_inbox_of uuid[], p_outbox bigint[],
                                p_outbox_of uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM enter_system();
  -- Rows in use are left to the sweep: waiting for them here could be a deadlock.
  UPDATE inbox SET remembered = true WHERE id IN (SELECT i.id FROM inbox i
    JOIN unnest(p_inbox, p_inbox_of) AS w(id, customer_id) USING (id, customer_id)
    WHERE NOT i.remembered ORDER BY i.id FOR UPDATE OF i SKIP LOCKED);
  UPDATE outbox SET remembered = true WHERE id IN (SELECT o.id FROM outbox o
    JOIN unnest(p_outbox, p_outbox_of) AS w(id, customer_id) USING (id, customer_id)
    WHERE NOT o.remembered ORDER BY o.id FOR UPDATE OF o SKIP LOCKED);
  UPDATE customer_merges SET mongo_done = false
   WHERE mongo_done AND old_id = ANY (p_inbox_of || p_outbox_of);
END $$;

-- Companies that should have a session: active, and so is their owner. elsewhere: another living
-- host holds it. And companies that should not, which no other host holds, but whose last state does
-- not say that they are stopped.
CREATE FUNCTION desk_wanted(p_host uuid)
RETURNS TABLE (id uuid, last_connected timestamptz, elsewhere boolean, wanted boolean,
               typing_aware boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM enter_system();
  RETURN QUERY SELECT c.id, c.whatsapp_last_connected, h.id IS NOT NULL, w.wanted,
                      c.typing_aware IS TRUE
    FROM companies c JOIN users u ON u.id = c.owner_id
    LEFT JOIN session_leases l ON l.company_id = c.id AND l.host_id <> p_host
    LEFT JOIN hosts h ON h.id = l.host_id
    CROSS JOIN LATERAL (SELECT c.active AND u.status = 'active' AS wanted) w
    WHERE w.wanted
       OR h.id IS NULL AND coalesce(c.whatsapp_session_data ->> 'reason', 'stopped') <> 'stopped';
END $$;

-- The companies whose sessions a host owns, each with the fence of that ownership.
CREATE FUNCTION desk_held(p_host uuid) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
  PERFORM enter_system();
  RETURN (SELECT coalesce(jsonb_object_agg(company_id, fence), '{}') FROM session_leases
           WHERE host_id = p_host);
END $$;

-- What `lyrox status` shows of the ledger and the companies.
CREATE FUNCTION desk_overview() RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
  PERFORM enter_system();
  RETURN jsonb_build_object(
    'companies', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'slug', c.slug,
        'name', c.name, 'active', c.active AND u.status = 'active', 'paused', c.paused,
        'host', h.id, 'shard', h.shard, 'reason', c.whatsapp_session_data ->> 'reason',
        'phone_seen', c.whatsapp_session_data ->> 'phone_seen_at')
        ORDER BY c.slug), '[]'::jsonb) FROM companies c JOIN users u ON u.id = c.owner_id
        LEFT JOIN session_leases l ON l.company_id = c.id LEFT JOIN hosts h ON h.id = l.host_id),
    'pending', (SELECT count(*) FROM inbox WHERE state = 'pending'),
    'oldest_seconds', (SELECT coalesce(extract(epoch FROM now() - min(received_at)), 0)
        FROM inbox WHERE state = 'pending'),
    'outbox', (SELECT count(*) FROM outbox WHERE state IN ('ready', 'sending')),
    'waiting_turns', (SELECT count(*) FROM turns WHERE state = 'open' AND due_at > now()),
    'too_old', desk_too_old(50),
    'workers', desk_workers(),
    'handovers', (SELECT coalesce(jsonb_agg(jsonb_build_object('company', co.slug,
        'customer', c.phone, 'name', c.name, 'reason', c.pause_reason, 'until', c.paused_until)
        ORDER BY c.paused_until), '[]'::jsonb)
        FROM customers c JOIN companies co ON co.id = c.company_id
       WHERE c.paused_until > now() AND c.pause_reason = 'handover'));
END $$;

-- Where a product's picture is: an https address, or the path of a file.
ALTER TABLE products ADD COLUMN image TEXT;

-- An edit or a revoke: kept as a row of its own, and applied while nothing has left yet that
-- answers its message. applied: changed | removed | emptied (nothing is left to answer) | late.
CREATE FUNCTION road_change(
  p_company uuid, p_wa_id text, p_channel text, p_phone text, p_lid text, p_chat text, p_name text,
  p_kind text, p_content text, p_sent_at timestamptz, p_journal_seq bigint, p_target text,
  OUT verdict text, OUT inbox_id bigint, OUT customer_id uuid, OUT customer_name text,
  OUT stage text, OUT phone text, OUT applied text, OUT amends text)
LANGUAGE plpgsql AS $$
BEGIN
  SELECT a.verdict, a.inbox_id, a.customer_id, a.customer_name, a.stage, a.phone
    INTO verdict, inbox_id, customer_id, customer_name, stage, phone
    FROM road_accept(p_company, p_wa_id, p_channel, 'customer', p_phone, p_lid, p_chat, p_name,
                     p_kind, p_content, p_sent_at, p_journal_seq, 'changes another message', 0,
                     NULL, jsonb_build_object('target', p_target)) a;
  IF inbox_id IS NULL THEN RETURN; END IF;
  SELECT c.applied, c.amends INTO applied, amends
    FROM road_apply_change(p_company, customer_id, inbox_id) c;
END $$;

-- Locks in the road's order: the customer is locked by road_accept, then come outbox, turn, inbox.
CREATE FUNCTION road_apply_change(p_company uuid, p_customer uuid, p_change bigint,
                                  OUT applied text, OUT amends text)
LANGUAGE plpgsql AS $$
DECLARE v_change inbox; v_old inbox; v_why text; v_left boolean;
BEGIN
  applied := 'late';
  SELECT * INTO v_change FROM inbox WHERE company_id = p_company AND id = p_change;
  SELECT * INTO v_old FROM inbox
   WHERE company_id = p_company AND customer_id = p_customer AND sender = 'customer'
     AND wa_id IN (v_change.details ->> 'target', (v_change.details ->> 'target') || '#' || p_customer)
     AND kind NOT IN ('edit', 'revoke', 'reaction', 'call')
     AND state IN ('pending', 'taken', 'answered');
  IF NOT FOUND THEN RETURN; END IF;
  v_left := v_change.kind = 'edit' OR EXISTS (SELECT 1 FROM inbox
    WHERE company_id = p_company AND turn_id = v_old.turn_id AND id <> v_old.id);
  IF v_old.turn_id IS NOT NULL AND NOT road_reopen(p_company, v_old.turn_id, v_left) THEN RETURN; END IF;

  amends := line_id(v_old.wa_id);
  v_why := 'taken back by the customer';
  IF v_change.kind = 'edit' THEN
    applied := 'changed';
    UPDATE inbox SET content = v_change.content,
           details = coalesce(details, '{}') || jsonb_build_object('was', v_old.content)
     WHERE company_id = p_company AND id = v_old.id;
  ELSE
    applied := 'removed';
    UPDATE inbox SET content = '', state = 'silent', reason = v_why, turn_id = NULL,
           remembered = false,
           details = coalesce(details, '{}') || jsonb_build_object('was', v_old.content)
     WHERE company_id = p_company AND id = v_old.id;
  END IF;
  UPDATE inbox SET details = details || jsonb_build_object('applied', amends)
   WHERE company_id = p_company AND id = p_change;
  IF EXISTS (SELECT 1 FROM inbox WHERE company_id = p_company AND customer_id = p_customer
              AND state = 'pending') THEN RETURN; END IF;
  IF v_old.turn_id IS NULL THEN
    applied := 'emptied';
  ELSIF NOT EXISTS (SELECT 1 FROM inbox WHERE company_id = p_company AND turn_id = v_old.turn_id) THEN
    applied := 'emptied';
    PERFORM road_close_silent(p_company, v_old.turn_id, v_why, NULL);
  END IF;
END $$;

-- Takes a turn back to be answered anew, from whoever has it at work; false where a part of its
-- answer has left, or is final, or where p_again and newer words have taken it back twice already.
-- p_again: something is left of it that a model is asked about once more.
CREATE FUNCTION road_reopen(p_company uuid, p_turn uuid, p_again boolean) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE v_turn turns;
BEGIN
  -- Delivery locks the same rows: whoever wins them decides.
  PERFORM 1 FROM outbox WHERE turn_id = p_turn ORDER BY id FOR UPDATE;
  SELECT * INTO v_turn FROM turns WHERE company_id = p_company AND id = p_turn FOR UPDATE;
  IF v_turn.state NOT IN ('open', 'answered') THEN RETURN false; END IF;
  -- Nobody is at work on it, and whoever will be reads the new words: that costs no question.
  IF v_turn.state = 'open' AND v_turn.host_id IS NULL THEN RETURN true; END IF;
  IF p_again AND v_turn.superseded >= 2 THEN RETURN false; END IF;
  IF v_turn.state = 'answered' AND (v_turn.details ? 'final'
      OR NOT EXISTS (SELECT 1 FROM outbox WHERE turn_id = p_turn AND state = 'ready')) THEN
    RETURN false;
  END IF;
  -- A person who stood in two rows may have an open turn beside this one.
  IF EXISTS (SELECT 1 FROM turns WHERE company_id = p_company AND id <> p_turn
              AND customer_id = v_turn.customer_id AND state = 'open') THEN RETURN false; END IF;
  IF EXISTS (SELECT 1 FROM outbox WHERE turn_id = p_turn AND state NOT IN ('ready', 'superseded'))
    THEN RETURN false; END IF;
  UPDATE outbox SET state = 'superseded', reason = 'its message was changed'
   WHERE turn_id = p_turn AND state = 'ready';
  -- Its lane waits for quiet; if that lane is lost, a sweep finds what waits.
  UPDATE turns SET state = 'open', host_id = NULL, closed_at = NULL,
         due_at = now() + interval '5 seconds', superseded = superseded + p_again::int
   WHERE id = p_turn;
  UPDATE inbox SET state = 'pending' WHERE turn_id = p_turn AND state IN ('taken', 'answered');
  RETURN true;
END $$;

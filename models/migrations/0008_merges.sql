-- One person, one customer. Who stands in one row by a LID and in another by a number becomes one
-- with the first message that shows both: the row with the number stays. Only a row known by its
-- LID alone is ever merged away, so a former id leads to its customer in one step.

CREATE TABLE customer_merges (
  old_id UUID PRIMARY KEY,
  company_id UUID NOT NULL,
  new_id UUID NOT NULL,
  merged_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  mongo_done BOOLEAN NOT NULL DEFAULT false,
  FOREIGN KEY (company_id, new_id) REFERENCES customers (company_id, id) ON DELETE CASCADE
);
CREATE INDEX idx_customer_merges_new ON customer_merges (new_id);
CREATE INDEX idx_customer_merges_open ON customer_merges (merged_at) WHERE NOT mongo_done;

ALTER TABLE customer_merges ENABLE ROW LEVEL SECURITY;
ALTER TABLE customer_merges FORCE ROW LEVEL SECURITY;
CREATE POLICY system_scope ON customer_merges USING (current_setting('app.system', true) = 'on');
CREATE POLICY company_wall ON customer_merges
  USING (company_id = current_setting('app.company_id')::uuid);

-- All rows of one customer, for a merge and for the foreign keys of a customer that goes.
CREATE INDEX idx_turns_customer ON turns (company_id, customer_id);
CREATE INDEX idx_inbox_customer ON inbox (company_id, customer_id, sent_at);
CREATE INDEX idx_outbox_customer ON outbox (company_id, customer_id);
CREATE INDEX idx_agent_logs_customer ON agent_logs (customer_id);

-- Locks the row of a customer, whose id may be a former one by now. Answers the id it has, or
-- null: there is no such customer.
CREATE FUNCTION road_lock(p_company uuid, p_customer uuid) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE v_id uuid := p_customer;
BEGIN
  LOOP
    PERFORM 1 FROM customers WHERE company_id = p_company AND id = v_id FOR NO KEY UPDATE;
    IF FOUND THEN RETURN v_id; END IF;
    SELECT new_id INTO v_id FROM customer_merges WHERE company_id = p_company AND old_id = v_id;
    IF NOT FOUND THEN RETURN NULL; END IF;
  END LOOP;
END $$;

-- At most one turn stays open. What the other one had taken waits again, so that it joins the
-- turn that stays, or begins the next one: nobody answers what he has not read.
CREATE FUNCTION road_merge_turns(p_company uuid, p_old uuid, p_new uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE v_kept uuid; v_left uuid;
BEGIN
  SELECT id INTO v_kept FROM turns
   WHERE company_id = p_company AND customer_id IN (p_old, p_new) AND state = 'open'
   ORDER BY host_id IS NULL, opened_at, id LIMIT 1;
  UPDATE turns SET state = 'silent', reason = 'joined another turn of the same person',
         closed_at = now(), due_at = NULL
   WHERE company_id = p_company AND customer_id IN (p_old, p_new) AND state = 'open'
     AND id <> v_kept RETURNING id INTO v_left;
  UPDATE turns SET customer_id = p_new WHERE company_id = p_company AND customer_id = p_old;
  UPDATE inbox SET state = 'pending', turn_id = NULL
   WHERE company_id = p_company AND turn_id = v_left AND state = 'taken';
END $$;

-- A message that came once for each row is one message: answered once, counted once. Answers how
-- many there are.
CREATE FUNCTION road_merge_repeated(p_company uuid, p_old uuid, p_new uuid) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE v_firsts bigint[]; v_agains bigint[]; v_turns uuid[];
BEGIN
  SELECT array_agg(f.id), array_agg(a.id) INTO v_firsts, v_agains
    FROM inbox a JOIN inbox f ON f.company_id = p_company AND f.wa_id = line_id(a.wa_id)
   WHERE a.company_id = p_company AND a.customer_id IN (p_old, p_new) AND a.wa_id LIKE '%#%'
     AND f.customer_id IN (p_old, p_new) AND f.id <> a.id AND a.sender = 'customer';
  IF v_firsts IS NULL THEN RETURN 0; END IF;
  WITH pairs AS (
    SELECT f.id AS first, f.state AS first_state, a.id AS again, a.state AS again_state
      FROM unnest(v_firsts, v_agains) AS p(first, again)
      JOIN inbox f ON f.id = p.first JOIN inbox a ON a.id = p.again),
  silenced AS (
    SELECT i.id, i.turn_id FROM inbox i JOIN pairs ON i.id =
      CASE WHEN again_state = 'answered' OR (again_state = 'taken' AND first_state = 'pending')
           THEN first ELSE again END
     WHERE i.state IN ('pending', 'taken')),
  done AS (
    UPDATE inbox SET state = 'silent', reason = 'the same message again', turn_id = NULL
     WHERE id IN (SELECT id FROM silenced))
  SELECT array_agg(turn_id) FILTER (WHERE turn_id IS NOT NULL) INTO v_turns FROM silenced;
  UPDATE turns t SET state = 'silent', reason = 'the same message again', closed_at = now(),
         due_at = NULL
   WHERE t.company_id = p_company AND t.id = ANY (v_turns) AND t.state = 'open'
     AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.turn_id = t.id);
  RETURN cardinality(v_firsts);
END $$;

-- Everything of the old row moves to the new one, and the old one goes. The caller holds the
-- locks on number and LID. Whoever works for either waits at these rows; whoever comes later with
-- the old id finds the merge.
CREATE FUNCTION road_merge(p_company uuid, p_old uuid, p_new uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  v_old customers; v_repeated int;
  v_stages text[] := ARRAY['lead', 'qualified', 'churned', 'customer'];
BEGIN
  PERFORM 1 FROM customers WHERE company_id = p_company AND id IN (p_old, p_new)
    ORDER BY id FOR UPDATE;
  SELECT * INTO v_old FROM customers WHERE company_id = p_company AND id = p_old;
  -- The newest lines count as not remembered until the document of the row that stays has them.
  UPDATE outbox SET customer_id = p_new,
         remembered = remembered AND id NOT IN (SELECT id FROM outbox WHERE company_id = p_company
           AND customer_id = p_old ORDER BY id DESC LIMIT 20)
   WHERE company_id = p_company AND customer_id = p_old;
  PERFORM road_merge_turns(p_company, p_old, p_new);
  v_repeated := road_merge_repeated(p_company, p_old, p_new);
  UPDATE inbox SET customer_id = p_new,
         remembered = remembered AND id NOT IN (SELECT id FROM inbox WHERE company_id = p_company
           AND customer_id = p_old ORDER BY id DESC LIMIT 20)
   WHERE company_id = p_company AND customer_id = p_old;
  UPDATE sales SET customer_id = p_new WHERE company_id = p_company AND customer_id = p_old;
  UPDATE agent_logs SET customer_id = p_new WHERE company_id = p_company AND customer_id = p_old;
  DELETE FROM customers WHERE company_id = p_company AND id = p_old;
  UPDATE customers c SET
    whatsapp_lid = v_old.whatsapp_lid,
    name = coalesce(c.name, v_old.name), email = coalesce(c.email, v_old.email),
    stage = CASE WHEN coalesce(array_position(v_stages, v_old.stage::text), 0)
                    > coalesce(array_position(v_stages, c.stage::text), 0)
                 THEN v_old.stage ELSE c.stage END,
    first_contact = least(c.first_contact, v_old.first_contact),
    last_interaction = greatest(c.last_interaction, v_old.last_interaction),
    total_interactions = coalesce(c.total_interactions, 0) + coalesce(v_old.total_interactions, 0)
                         - v_repeated,
    lifetime_value = least(coalesce(c.lifetime_value, 0) + coalesce(v_old.lifetime_value, 0),
                           99999999.99),
    created_at = least(c.created_at, v_old.created_at),
    tags = nullif(ARRAY(SELECT tag FROM unnest(c.tags || v_old.tags) WITH ORDINALITY AS t(tag, n)
                         GROUP BY tag ORDER BY min(n)), '{}'),
    metadata = coalesce(v_old.metadata, '{}') || coalesce(c.metadata, '{}'),
    pause_reason = CASE WHEN v_old.paused_until > coalesce(c.paused_until, '-infinity')
                        THEN v_old.pause_reason ELSE c.pause_reason END,
    paused_until = greatest(c.paused_until, v_old.paused_until),
    opted_out = c.opted_out OR v_old.opted_out,
    noticed_at = greatest(c.noticed_at, v_old.noticed_at),
    limited_until = greatest(c.limited_until, v_old.limited_until)
   WHERE c.company_id = p_company AND c.id = p_new;
  INSERT INTO customer_merges (old_id, company_id, new_id) VALUES (p_old, p_company, p_new);
  UPDATE events SET subject = p_new WHERE company_id = p_company AND subject = p_old::text
     AND NOT judged;
  UPDATE incidents o SET
    subject = p_new, ended_at = CASE WHEN EXISTS (SELECT 1 FROM incidents n
      WHERE n.company_id = p_company AND n.kind = o.kind AND n.subject = p_new::text
        AND n.ended_at IS NULL) THEN now() END
   WHERE o.company_id = p_company AND o.subject = p_old::text AND o.ended_at IS NULL;
END $$;

-- The number of p_former is another account's now, who may have a row already (p_holder). What was
-- said with the former holder stays with that row, which is known by its LID from now on, and
-- nothing of it is sent to the number any more.
CREATE FUNCTION road_free_number(p_company uuid, p_former uuid, p_holder uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE v_why text := 'the number is another person''s now'; v_phone text; v_id bigint; v_turn uuid;
BEGIN
  PERFORM 1 FROM customers WHERE company_id = p_company AND id IN (p_former, p_holder)
    ORDER BY id FOR UPDATE;
  SELECT phone INTO v_phone FROM customers
   WHERE company_id = p_company AND id = p_former AND phone LIKE '+%';
  IF NOT FOUND THEN RETURN; END IF;  -- It has shown another one in this moment.
  UPDATE customers SET phone = hidden_phone(whatsapp_lid)
   WHERE company_id = p_company AND id = p_former;
  FOR v_id IN SELECT id FROM outbox WHERE company_id = p_company AND customer_id = p_former
      AND state = 'ready' AND chat NOT LIKE '%@lid' ORDER BY id FOR UPDATE LOOP
    PERFORM road_stop(p_company, v_id, v_why);
  END LOOP;
  SELECT id INTO v_turn FROM turns WHERE company_id = p_company AND customer_id = p_former
     AND state = 'open' AND chat NOT LIKE '%@lid';
  IF FOUND THEN PERFORM road_close_silent(p_company, v_turn, v_why, NULL); END IF;
  UPDATE inbox SET state = 'silent', reason = v_why
   WHERE company_id = p_company AND customer_id = p_former AND state = 'pending'
     AND chat NOT LIKE '%@lid';
  INSERT INTO agent_logs (company_id, agent_type, event_type, event_data, customer_id)
  VALUES (p_company, 'customer-acquisition', 'number_changed_hands',
          jsonb_build_object('phone', v_phone), p_former);
END $$;

-- What stands for the number of somebody who does not show one.
CREATE FUNCTION hidden_phone(p_lid text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN length(p_lid) <= 16 THEN 'lid:' || p_lid
              ELSE 'lidh:' || left(encode(sha256(convert_to(p_lid, 'UTF8')), 'hex'), 15) END;
$$;

-- A sale that is written with a former id, also in the very moment of the merge.
CREATE FUNCTION follow_merge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.customer_id := coalesce(road_lock(NEW.company_id, NEW.customer_id), NEW.customer_id);
  RETURN NEW;
END $$;
CREATE TRIGGER follow_merge BEFORE INSERT OR UPDATE OF customer_id ON sales
  FOR EACH ROW EXECUTE FUNCTION follow_merge();

-- Merges whose conversation documents are still two.
CREATE FUNCTION desk_merges(p_limit int)
RETURNS TABLE (company_id uuid, old_id uuid, new_id uuid, phone text, name text, stage text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM enter_system();
  RETURN QUERY
    SELECT m.company_id, m.old_id, m.new_id, c.phone::text, c.name::text, c.stage::text
      FROM (SELECT * FROM customer_merges WHERE NOT mongo_done ORDER BY merged_at LIMIT p_limit) m
      JOIN customers c ON c.company_id = m.company_id AND c.id = m.new_id;
END $$;

CREATE FUNCTION desk_merged(p_old uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM enter_system();
  UPDATE customer_merges SET mongo_done = true WHERE old_id = p_old;
END $$;

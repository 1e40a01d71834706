-- A call is kept in silence while it rings; how it ends decides whether it is answered.
CREATE INDEX idx_inbox_rings ON inbox (company_id, received_at) WHERE reason = 'rings';

-- How a call ended that rang. Answers whose chat waits for a turn now: nobody's where the owner took
-- the call, or where this was known before.
CREATE FUNCTION road_call_over(p_company uuid, p_wa_id text, p_taken boolean) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE v_customer uuid;
BEGIN
  PERFORM enter_company(p_company);
  SELECT customer_id INTO v_customer FROM inbox
   WHERE company_id = p_company AND wa_id = p_wa_id AND reason = 'rings';
  IF NOT FOUND THEN RETURN NULL; END IF;
  v_customer := road_lock(p_company, v_customer);
  UPDATE inbox SET state = CASE WHEN p_taken THEN 'silent' ELSE 'pending' END,
         reason = CASE WHEN p_taken THEN 'the owner took the call' END
   WHERE company_id = p_company AND wa_id = p_wa_id AND reason = 'rings';
  IF NOT FOUND OR p_taken THEN RETURN NULL; END IF;
  RETURN v_customer;
END $$;

-- Calls of which nobody said how they ended were missed: no phone rings for so long. The sweep finds
-- them waiting.
CREATE FUNCTION desk_rung_out(p_seconds double precision) RETURNS int LANGUAGE plpgsql AS $$
DECLARE v_calls int;
BEGIN
  PERFORM enter_system();
  UPDATE inbox SET state = 'pending', reason = NULL WHERE id IN (
    SELECT id FROM inbox
     WHERE reason = 'rings'
       AND (received_at < now() - make_interval(secs => p_seconds) OR set_back(received_at))
     ORDER BY id FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS v_calls = ROW_COUNT;
  RETURN v_calls;
END $$;

-- The sweep's first step: what a turn left behind, and which rows the conversations hold now.
-- One statement, because the sweep comes every second anyway: so marking a message's rows as
-- remembered costs no round trip of its own.
CREATE FUNCTION desk_tidy(p_host uuid, p_running uuid[], p_age_seconds double precision,
                          p_inbox bigint[], p_inbox_of uuid[], p_outbox bigint[],
                          p_outbox_of uuid[]) RETURNS int
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM desk_remembered(p_inbox, p_inbox_of, p_outbox, p_outbox_of);
  RETURN desk_strays(p_host, p_running, p_age_seconds);
END $$;

-- What was said in a chat, for turns while MongoDB is away.

-- A customer's newest lines, whether or not the conversation document has them, oldest first.
CREATE FUNCTION road_history(p_company uuid, p_customer uuid, p_count int) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE v_customer uuid := p_customer;
BEGIN
  PERFORM enter_company(p_company);
  SELECT new_id INTO v_customer FROM customer_merges
   WHERE company_id = p_company AND old_id = p_customer;
  v_customer := coalesce(v_customer, p_customer);
  RETURN (SELECT coalesce(jsonb_agg(to_jsonb(n) ORDER BY n.at, n.id), '[]'::jsonb) FROM (
    SELECT * FROM (
      (SELECT line_id(wa_id) AS id, sent_at AS at, sender, content AS text FROM inbox
        WHERE company_id = p_company AND customer_id = v_customer
          AND (details -> 'applied') IS NULL
        ORDER BY id DESC LIMIT p_count)
      UNION ALL
      (SELECT coalesce(wa_id, 'outbox-' || id), sent_at, 'agent', content FROM outbox
        WHERE company_id = p_company AND customer_id = v_customer AND state = 'sent'
        ORDER BY id DESC LIMIT p_count)) l
    ORDER BY l.at DESC, l.id DESC LIMIT p_count) n);
END $$;

-- Turns in processes that host no session.

-- Who answers beside the daemons, and with how much in hand. A dead one stands here until somebody
-- has buried it, which takes some 5 s.
CREATE FUNCTION desk_workers() RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
  PERFORM enter_system();
  RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object('name', h.name, 'number', h.shard,
      'seconds', round(extract(epoch FROM now() - h.started_at)),
      'turns', (SELECT count(*) FROM turns t WHERE t.state = 'open' AND t.host_id = h.id))
      ORDER BY h.name), '[]'::jsonb) FROM hosts h WHERE h.role = 'worker');
END $$;

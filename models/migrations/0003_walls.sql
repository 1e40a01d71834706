-- Foreign keys look past row-level security (a sale for another company's customer would be
-- accepted), so these keys beside the document's carry the company too.
ALTER TABLE products ADD CONSTRAINT products_company_id_id_key UNIQUE (company_id, id);
ALTER TABLE sales
  ADD FOREIGN KEY (company_id, customer_id) REFERENCES customers (company_id, id)
    ON DELETE CASCADE,
  ADD FOREIGN KEY (company_id, product_id) REFERENCES products (company_id, id)
    ON DELETE RESTRICT;
ALTER TABLE agent_logs
  ADD FOREIGN KEY (company_id, customer_id) REFERENCES customers (company_id, id)
    ON DELETE SET NULL (customer_id);

-- Company walls. A company's rows are visible only while app.company_id names it; without the
-- setting a query fails instead of finding nothing. The system scope is a policy of its own; it
-- sets app.company_id to the nil UUID as well, because the strict policy may be evaluated first.
-- A policy without WITH CHECK holds what is written to the same rule as what is read.
-- FORCE, because the owner of a table is exempt otherwise.

CREATE FUNCTION raise_company_wall(p_table regclass, p_column name) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', p_table);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', p_table);
  EXECUTE format('CREATE POLICY system_scope ON %s
                  USING (current_setting(''app.system'', true) = ''on'')', p_table);
  IF p_column IS NOT NULL THEN
    EXECUTE format('CREATE POLICY company_wall ON %s
                    USING (%I = current_setting(''app.company_id'')::uuid)', p_table, p_column);
  END IF;
END $$;

SELECT raise_company_wall('companies', 'id');
SELECT raise_company_wall(name, 'company_id') FROM unnest(ARRAY['products', 'customers', 'sales',
  'agent_logs', 'subscriptions', 'session_leases', 'turns', 'inbox', 'outbox']::regclass[]) AS name;
SELECT raise_company_wall('users', NULL);
DROP FUNCTION raise_company_wall;

-- A company's owner may be read in that company's scope.
CREATE POLICY company_owner ON users FOR SELECT USING (
  id = (SELECT owner_id FROM companies WHERE companies.id = current_setting('app.company_id')::uuid));

-- clock_timestamp(), because now() stands still within a transaction.
CREATE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := clock_timestamp();
  RETURN NEW;
END $$;

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON users
  FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON companies
  FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON products
  FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON customers
  FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON subscriptions
  FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

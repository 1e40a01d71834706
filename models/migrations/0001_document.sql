-- The seven tables of the schema document, column by column in its order.
-- Additions stand at the end of a table; docs/schema.md gives the reason for each.

CREATE TABLE users (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  email VARCHAR(255) UNIQUE NOT NULL,
  password_hash VARCHAR(255) NOT NULL,
  name VARCHAR(255),
  created_at TIMESTAMPTZ DEFAULT now(),
  updated_at TIMESTAMPTZ DEFAULT now(),
  last_login TIMESTAMPTZ,
  email_verified BOOLEAN DEFAULT false,
  status VARCHAR(50) DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted'))
);
CREATE INDEX idx_users_email ON users (email);
CREATE INDEX idx_users_status ON users (status);

CREATE TABLE companies (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  owner_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name VARCHAR(255) NOT NULL,
  industry VARCHAR(100),
  website VARCHAR(500),
  brand_personality TEXT NOT NULL,
  system_prompt TEXT,
  whatsapp_phone VARCHAR(20) UNIQUE,
  whatsapp_connected BOOLEAN DEFAULT false,
  whatsapp_session_data JSONB,
  whatsapp_last_connected TIMESTAMPTZ,
  active BOOLEAN DEFAULT true,
  subscription_plan VARCHAR(50) DEFAULT 'free',
  subscription_status VARCHAR(50) DEFAULT 'active',
  created_at TIMESTAMPTZ DEFAULT now(),
  updated_at TIMESTAMPTZ DEFAULT now(),
  metadata JSONB DEFAULT '{}'::jsonb,
  slug VARCHAR(63) UNIQUE NOT NULL CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
  paused BOOLEAN NOT NULL DEFAULT false
);
CREATE INDEX idx_companies_owner ON companies (owner_id);
CREATE INDEX idx_companies_active ON companies (active);
CREATE INDEX idx_companies_whatsapp_phone ON companies (whatsapp_phone);

CREATE TABLE products (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  company_id UUID NOT NULL REFERENCES companies (id) ON DELETE CASCADE,
  name VARCHAR(255) NOT NULL,
  description TEXT,
  price DECIMAL(10, 2) NOT NULL,
  currency VARCHAR(3) DEFAULT 'USD',
  payment_link TEXT,
  stripe_price_id VARCHAR(255),
  active BOOLEAN DEFAULT true,
  created_at TIMESTAMPTZ DEFAULT now(),
  updated_at TIMESTAMPTZ DEFAULT now(),
  metadata JSONB DEFAULT '{}'::jsonb
);
CREATE INDEX idx_products_company ON products (company_id);
CREATE INDEX idx_products_active ON products (company_id, active);

CREATE TABLE customers (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  company_id UUID NOT NULL REFERENCES companies (id) ON DELETE CASCADE,
  phone VARCHAR(20) NOT NULL,
  name VARCHAR(255),
  email VARCHAR(255),
  stage VARCHAR(50) DEFAULT 'lead',
  first_contact TIMESTAMPTZ DEFAULT now(),
  last_interaction TIMESTAMPTZ,
  total_interactions INTEGER DEFAULT 0,
  lifetime_value DECIMAL(10, 2) DEFAULT 0.00,
  created_at TIMESTAMPTZ DEFAULT now(),
  updated_at TIMESTAMPTZ DEFAULT now(),
  tags VARCHAR(100)[],
  metadata JSONB DEFAULT '{}'::jsonb,
  whatsapp_lid VARCHAR(32),
  paused_until TIMESTAMPTZ,
  pause_reason VARCHAR(50) CHECK (pause_reason IN ('owner', 'handover', 'command')),
  opted_out BOOLEAN NOT NULL DEFAULT false,
  noticed_at TIMESTAMPTZ,
  limited_until TIMESTAMPTZ,
  UNIQUE (company_id, phone)
);
CREATE INDEX idx_customers_company ON customers (company_id);
CREATE INDEX idx_customers_phone ON customers (company_id, phone);
CREATE INDEX idx_customers_company_phone ON customers (company_id, phone);
CREATE INDEX idx_customers_stage ON customers (company_id, stage);
CREATE INDEX idx_customers_last_interaction ON customers (last_interaction);
CREATE INDEX idx_customers_company_last_interaction
  ON customers (company_id, last_interaction DESC);
CREATE UNIQUE INDEX idx_customers_whatsapp_lid ON customers (company_id, whatsapp_lid)
  WHERE whatsapp_lid IS NOT NULL;

CREATE TABLE sales (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  company_id UUID NOT NULL REFERENCES companies (id) ON DELETE CASCADE,
  customer_id UUID NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  product_id UUID NOT NULL REFERENCES products (id) ON DELETE RESTRICT,
  amount DECIMAL(10, 2) NOT NULL,
  currency VARCHAR(3) DEFAULT 'USD',
  payment_method VARCHAR(50),
  payment_id VARCHAR(255),
  payment_status VARCHAR(50) DEFAULT 'pending',
  sale_date TIMESTAMPTZ DEFAULT now(),
  created_at TIMESTAMPTZ DEFAULT now(),
  metadata JSONB DEFAULT '{}'::jsonb
);
CREATE INDEX idx_sales_company ON sales (company_id);
CREATE INDEX idx_sales_customer ON sales (customer_id);
CREATE INDEX idx_sales_date ON sales (company_id, sale_date);
CREATE INDEX idx_sales_company_date ON sales (company_id, sale_date DESC);
CREATE INDEX idx_sales_status ON sales (payment_status);

CREATE TABLE agent_logs (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  company_id UUID NOT NULL REFERENCES companies (id) ON DELETE CASCADE,
  agent_type VARCHAR(100) NOT NULL,
  event_type VARCHAR(100) NOT NULL,
  event_data JSONB NOT NULL,
  customer_id UUID REFERENCES customers (id) ON DELETE SET NULL,
  tokens_used INTEGER,
  response_time_ms INTEGER,
  created_at TIMESTAMPTZ DEFAULT now()
);
CREATE INDEX idx_agent_logs_company ON agent_logs (company_id);
CREATE INDEX idx_agent_logs_type ON agent_logs (agent_type);
CREATE INDEX idx_agent_logs_created ON agent_logs (created_at);
CREATE INDEX idx_agent_logs_company_created ON agent_logs (company_id, created_at DESC);

CREATE TABLE subscriptions (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  company_id UUID NOT NULL REFERENCES companies (id) ON DELETE CASCADE,
  plan VARCHAR(50) NOT NULL,
  status VARCHAR(50) NOT NULL,
  stripe_customer_id VARCHAR(255),
  stripe_subscription_id VARCHAR(255),
  current_period_start TIMESTAMPTZ,
  current_period_end TIMESTAMPTZ,
  created_at TIMESTAMPTZ DEFAULT now(),
  updated_at TIMESTAMPTZ DEFAULT now(),
  canceled_at TIMESTAMPTZ
);
CREATE INDEX idx_subscriptions_company ON subscriptions (company_id);
CREATE INDEX idx_subscriptions_stripe_customer ON subscriptions (stripe_customer_id);

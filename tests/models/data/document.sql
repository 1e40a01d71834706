-- The schema document's own SQL, both index sections, word for word in its order.

CREATE TABLE users (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  email VARCHAR(255) UNIQUE NOT NULL,
  password_hash VARCHAR(255) NOT NULL,
  name VARCHAR(255),
  created_at TIMESTAMP DEFAULT NOW(),
  updated_at TIMESTAMP DEFAULT NOW(),
  last_login TIMESTAMP,
  email_verified BOOLEAN DEFAULT FALSE,
  status VARCHAR(50) DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted'))
);

CREATE INDEX idx_users_email ON users(email);
CREATE INDEX idx_users_status ON users(status);

CREATE TABLE companies (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  owner_id UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,

  -- Business Info
  name VARCHAR(255) NOT NULL,
  industry VARCHAR(100),
  website VARCHAR(500),

  -- AI Configuration
  brand_personality TEXT NOT NULL, -- The AI prompt
  system_prompt TEXT, -- Fixed system instructions (future)

  -- WhatsApp
  whatsapp_phone VARCHAR(20) UNIQUE,
  whatsapp_connected BOOLEAN DEFAULT FALSE,
  whatsapp_session_data JSONB, -- Session persistence
  whatsapp_last_connected TIMESTAMP,

  -- Status
  active BOOLEAN DEFAULT TRUE,
  subscription_plan VARCHAR(50) DEFAULT 'free', -- free, starter, pro, enterprise
  subscription_status VARCHAR(50) DEFAULT 'active',

  -- Timestamps
  created_at TIMESTAMP DEFAULT NOW(),
  updated_at TIMESTAMP DEFAULT NOW(),

  -- Metadata
  metadata JSONB DEFAULT '{}'::jsonb
);

CREATE INDEX idx_companies_owner ON companies(owner_id);
CREATE INDEX idx_companies_active ON companies(active);
CREATE INDEX idx_companies_whatsapp_phone ON companies(whatsapp_phone);

CREATE TABLE products (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  company_id UUID NOT NULL REFERENCES companies(id) ON DELETE CASCADE,

  -- Product Info
  name VARCHAR(255) NOT NULL,
  description TEXT,
  price DECIMAL(10, 2) NOT NULL,
  currency VARCHAR(3) DEFAULT 'USD',

  -- Payment
  payment_link TEXT, -- Stripe payment link or similar
  stripe_price_id VARCHAR(255), -- For Stripe integration

  -- Status
  active BOOLEAN DEFAULT TRUE,

  -- Timestamps
  created_at TIMESTAMP DEFAULT NOW(),
  updated_at TIMESTAMP DEFAULT NOW(),

  -- Metadata
  metadata JSONB DEFAULT '{}'::jsonb
);

CREATE INDEX idx_products_company ON products(company_id);
CREATE INDEX idx_products_active ON products(company_id, active);

CREATE TABLE customers (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  company_id UUID NOT NULL REFERENCES companies(id) ON DELETE CASCADE,

  -- Customer Info
  phone VARCHAR(20) NOT NULL, -- Unique per company
  name VARCHAR(255),
  email VARCHAR(255),

  -- Status
  stage VARCHAR(50) DEFAULT 'lead', -- lead, qualified, customer, churned

  -- Metrics
  first_contact TIMESTAMP DEFAULT NOW(),
  last_interaction TIMESTAMP,
  total_interactions INTEGER DEFAULT 0,
  lifetime_value DECIMAL(10, 2) DEFAULT 0.00,

  -- Timestamps
  created_at TIMESTAMP DEFAULT NOW(),
  updated_at TIMESTAMP DEFAULT NOW(),

  -- Metadata
  tags VARCHAR(100)[], -- ['interested-fitness', 'budget-conscious']
  metadata JSONB DEFAULT '{}'::jsonb,

  UNIQUE(company_id, phone) -- Phone unique per company
);

CREATE INDEX idx_customers_company ON customers(company_id);
CREATE INDEX idx_customers_phone ON customers(company_id, phone);
CREATE INDEX idx_customers_stage ON customers(company_id, stage);
CREATE INDEX idx_customers_last_interaction ON customers(last_interaction);

CREATE TABLE sales (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  company_id UUID NOT NULL REFERENCES companies(id) ON DELETE CASCADE,
  customer_id UUID NOT NULL REFERENCES customers(id) ON DELETE CASCADE,
  product_id UUID NOT NULL REFERENCES products(id) ON DELETE RESTRICT,

  -- Sale Info
  amount DECIMAL(10, 2) NOT NULL,
  currency VARCHAR(3) DEFAULT 'USD',

  -- Payment
  payment_method VARCHAR(50), -- stripe, paypal, etc
  payment_id VARCHAR(255), -- External payment ID
  payment_status VARCHAR(50) DEFAULT 'pending', -- pending, completed, refunded

  -- Timestamps
  sale_date TIMESTAMP DEFAULT NOW(),
  created_at TIMESTAMP DEFAULT NOW(),

  -- Metadata
  metadata JSONB DEFAULT '{}'::jsonb
);

CREATE INDEX idx_sales_company ON sales(company_id);
CREATE INDEX idx_sales_customer ON sales(customer_id);
CREATE INDEX idx_sales_date ON sales(company_id, sale_date);
CREATE INDEX idx_sales_status ON sales(payment_status);

CREATE TABLE agent_logs (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  company_id UUID NOT NULL REFERENCES companies(id) ON DELETE CASCADE,

  -- Agent Info
  agent_type VARCHAR(100) NOT NULL, -- customer-acquisition, finance, etc

  -- Event
  event_type VARCHAR(100) NOT NULL, -- message_sent, sale_recorded, etc
  event_data JSONB NOT NULL,

  -- Context
  customer_id UUID REFERENCES customers(id) ON DELETE SET NULL,

  -- Metadata
  tokens_used INTEGER, -- For AI calls
  response_time_ms INTEGER,

  -- Timestamp
  created_at TIMESTAMP DEFAULT NOW()
);

CREATE INDEX idx_agent_logs_company ON agent_logs(company_id);
CREATE INDEX idx_agent_logs_type ON agent_logs(agent_type);
CREATE INDEX idx_agent_logs_created ON agent_logs(created_at);

CREATE TABLE subscriptions (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  company_id UUID NOT NULL REFERENCES companies(id) ON DELETE CASCADE,

  -- Subscription Info
  plan VARCHAR(50) NOT NULL, -- free, starter, pro, enterprise
  status VARCHAR(50) NOT NULL, -- active, past_due, canceled

  -- Billing
  stripe_customer_id VARCHAR(255),
  stripe_subscription_id VARCHAR(255),
  current_period_start TIMESTAMP,
  current_period_end TIMESTAMP,

  -- Timestamps
  created_at TIMESTAMP DEFAULT NOW(),
  updated_at TIMESTAMP DEFAULT NOW(),
  canceled_at TIMESTAMP
);

CREATE INDEX idx_subscriptions_company ON subscriptions(company_id);
CREATE INDEX idx_subscriptions_stripe_customer ON subscriptions(stripe_customer_id);

-- Multi-tenant queries (most common)
CREATE INDEX idx_products_company ON products(company_id);
CREATE INDEX idx_customers_company_phone ON customers(company_id, phone);
CREATE INDEX idx_sales_company_date ON sales(company_id, sale_date DESC);

-- Dashboard queries
CREATE INDEX idx_customers_last_interaction ON customers(company_id, last_interaction DESC);
CREATE INDEX idx_agent_logs_company_created ON agent_logs(company_id, created_at DESC);

"""The twelve tables, declared the way a small company's application declares them."""

TABLES = """\
CREATE TABLE tickers (
    ticker TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    exchange TEXT NOT NULL,
    currency TEXT NOT NULL DEFAULT 'KRW',
    asset_type TEXT NOT NULL DEFAULT 'STOCK' CHECK (asset_type IN ('STOCK', 'ETF')),
    lot_size INTEGER NOT NULL DEFAULT 1,
    listing_date DATE,
    last_price REAL,
    is_active BOOLEAN NOT NULL DEFAULT 1,
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    last_updated DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (ticker, region)
);

CREATE TABLE ohlcv_data (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ticker TEXT NOT NULL,
    region TEXT NOT NULL,
    timeframe TEXT NOT NULL DEFAULT 'D',
    date DATE NOT NULL,
    open REAL NOT NULL,
    high REAL NOT NULL,
    low REAL NOT NULL,
    close REAL NOT NULL,
    volume INTEGER NOT NULL,
    ma5 REAL,
    ma20 REAL,
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (ticker, region, timeframe, date),
    FOREIGN KEY (ticker, region) REFERENCES tickers (ticker, region)
);

CREATE TABLE stock_details (
    ticker TEXT NOT NULL,
    region TEXT NOT NULL,
    as_of DATE NOT NULL,
    sector TEXT,
    industry TEXT,
    par_value DECIMAL(12, 2),
    market_cap NUMERIC(20, 2),
    shares_outstanding BIGINT,
    is_preferred BOOLEAN NOT NULL DEFAULT 0,
    attributes JSON,
    last_updated DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (ticker, region, as_of),
    FOREIGN KEY (ticker, region) REFERENCES tickers (ticker, region)
);

CREATE TABLE etf_details (
    ticker TEXT NOT NULL,
    region TEXT NOT NULL,
    issuer TEXT NOT NULL,
    tracking_index TEXT,
    inception_date DATE,
    expense_ratio DECIMAL(6, 4),
    aum NUMERIC(20, 2),
    leverage REAL NOT NULL DEFAULT 1.0,
    is_currency_hedged BOOLEAN NOT NULL DEFAULT 0,
    logo BLOB,
    last_updated DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (ticker, region),
    FOREIGN KEY (ticker, region) REFERENCES tickers (ticker, region)
);

CREATE TABLE etf_holdings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    etf_ticker TEXT NOT NULL,
    etf_region TEXT NOT NULL,
    stock_ticker TEXT NOT NULL,
    stock_region TEXT NOT NULL,
    rank INTEGER,
    weight DECIMAL(7, 4) NOT NULL,
    shares INTEGER,
    as_of DATE NOT NULL,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (etf_ticker, etf_region, stock_ticker, stock_region, as_of),
    FOREIGN KEY (etf_ticker, etf_region) REFERENCES etf_details (ticker, region),
    FOREIGN KEY (stock_ticker, stock_region) REFERENCES tickers (ticker, region)
);

CREATE TABLE ticker_fundamentals (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ticker TEXT NOT NULL,
    region TEXT NOT NULL,
    date DATE NOT NULL,
    period_type TEXT NOT NULL DEFAULT 'QUARTERLY',
    revenue NUMERIC(20, 2),
    eps DECIMAL(15, 4),
    per REAL,
    pbr REAL,
    dividend_yield REAL,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (ticker, region, date, period_type),
    FOREIGN KEY (ticker, region) REFERENCES tickers (ticker, region)
);

CREATE TABLE global_market_indices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    date DATE NOT NULL,
    symbol TEXT NOT NULL,
    index_name TEXT NOT NULL,
    region TEXT NOT NULL,
    close_price REAL NOT NULL,
    change_percent REAL,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (date, symbol)
);

CREATE TABLE exchange_rate_history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    currency TEXT NOT NULL,
    rate DECIMAL(15, 6) NOT NULL,
    rate_date DATE NOT NULL,
    source TEXT,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (currency, rate_date)
);

CREATE TABLE technical_analysis (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ticker TEXT NOT NULL,
    region TEXT NOT NULL,
    analysis_date DATE NOT NULL,
    stage INTEGER,
    score REAL,
    signals JSON,
    recommendation TEXT,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (ticker, region, analysis_date),
    FOREIGN KEY (ticker, region) REFERENCES tickers (ticker, region)
);

CREATE TABLE trades (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ticker TEXT NOT NULL,
    region TEXT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('BUY', 'SELL')),
    status TEXT NOT NULL CHECK (status IN ('PENDING', 'FILLED')),
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    price DECIMAL(15, 4) NOT NULL,
    amount NUMERIC(20, 2) NOT NULL,
    memo TEXT,
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    FOREIGN KEY (ticker, region) REFERENCES tickers (ticker, region)
);

CREATE TABLE portfolio (
    ticker TEXT NOT NULL,
    region TEXT NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity >= 0),
    last_price DECIMAL(15, 4) NOT NULL,
    market_value NUMERIC(20, 2) NOT NULL,
    is_open BOOLEAN NOT NULL DEFAULT 1,
    opened_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    last_updated DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (ticker, region),
    FOREIGN KEY (ticker, region) REFERENCES tickers (ticker, region)
);

CREATE TABLE market_sentiment (
    date DATE PRIMARY KEY NOT NULL,
    vix REAL,
    fear_greed_index INTEGER,
    foreign_net_buying BIGINT,
    sentiment TEXT,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
"""

INDEXES = """\
CREATE INDEX idx_ohlcv_updated_at ON ohlcv_data (updated_at);
CREATE INDEX idx_trades_status ON trades (status);
"""

SCHEMA = TABLES + INDEXES

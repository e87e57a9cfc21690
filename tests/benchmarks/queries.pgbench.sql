-- What readers of the market ask for, one transaction of pgbench. The tables are those of `python -m syncd.market`;
-- for another application put its own queries here.
SELECT quote_literal(ticker) AS ticker, quote_literal(region) AS region FROM tickers ORDER BY ticker, region
OFFSET (SELECT floor(random() * count(*)) FROM tickers) LIMIT 1 \gset

-- One ticker's chart of the last year.
SELECT date, open, high, low, close, volume FROM ohlcv_data
 WHERE ticker = :ticker AND region = :region AND timeframe = 'D'
   AND date > (SELECT max(date) FROM ohlcv_data WHERE ticker = :ticker AND region = :region) - 365
 ORDER BY date;

-- Its monthly highs, lows and volumes.
SELECT date_trunc('month', date) AS month, max(high), min(low), sum(volume) FROM ohlcv_data
 WHERE ticker = :ticker AND region = :region AND timeframe = 'D' GROUP BY month ORDER BY month;

-- What it is.
SELECT t.name, t.exchange, t.last_price, d.sector, d.market_cap FROM tickers t
  LEFT JOIN stock_details d USING (ticker, region) WHERE t.ticker = :ticker AND t.region = :region;

-- The exchange rates of the last days.
SELECT currency, rate, rate_date FROM exchange_rate_history ORDER BY rate_date DESC LIMIT 20;

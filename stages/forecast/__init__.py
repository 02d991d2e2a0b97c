"""From laws to a forecast: chains, candidates, backtest, pool, interval, grade."""

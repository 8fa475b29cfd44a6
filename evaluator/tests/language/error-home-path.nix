~/secret

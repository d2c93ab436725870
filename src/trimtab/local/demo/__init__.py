"""`trimtab demo`: the whole loop over a year of flights from New York, on one machine."""

"""search: which family and parameters do best on the past, by time-series cross-validation within a budget."""

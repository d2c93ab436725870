"""The operator's composition root."""

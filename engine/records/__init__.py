"""The national records: their schema, and a synthetic nation that follows it."""

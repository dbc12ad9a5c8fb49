"""Work that is repeated: shards that can be resumed, who makes them, what they add up to."""

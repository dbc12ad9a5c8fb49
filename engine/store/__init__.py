"""The prepared store: what every study reads, made once from an extract."""

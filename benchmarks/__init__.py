"""The project beside its peers: one run, interleaved, answers compared. See README.md here."""

"""The organisation's file: template, reading in a sandbox, checks, quarantine."""

"""Long checks of what the software promises; see ``python -m tests.certify --help``."""

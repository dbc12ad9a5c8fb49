"""A synthetic nation: invented people whose records behave like the published statistics."""

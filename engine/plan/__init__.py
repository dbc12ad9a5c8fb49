"""The plan of a study: what may be asked, how its file is read, refused and written."""

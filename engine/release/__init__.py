"""What leaves a run: files, tables, charts, pages and the manifest."""

"""`webmacs up`: one process that starts, watches and stops all the others, with the standard library only."""

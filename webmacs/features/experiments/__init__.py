"""Named runs of a process: started, stopped, compared and exported."""

"""API tokens: long-lived credentials for scripts and the agent, limited as far as their owners like."""

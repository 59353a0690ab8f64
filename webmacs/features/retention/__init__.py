"""How long measurements are kept: the values themselves for some days, what they amounted to for longer."""

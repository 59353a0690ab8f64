"""The log book of the laboratory: what happened, to be read and ticked off by people."""

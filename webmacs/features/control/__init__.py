"""The one gate to outputs: every write to an actuator or a range by a person or a rule."""

"""Channel definitions. "Event" is the product's word for a channel: a sensor, an actuator, a range or a command."""

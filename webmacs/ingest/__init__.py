"""Values on their way in from devices and scripts: the fast doors to the one verb that records."""

"""Device drivers at work: configured instances and the channels that they bring."""

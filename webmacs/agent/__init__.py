"""The controller process: runs the plugin instances and speaks to the server only through its public API."""

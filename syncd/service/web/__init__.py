"""The dashboard and the metrics over HTTP: read-only, in a thread and an event loop of its own."""

"""What the tests of the whole broker share: an MQTT codec of their own, HTTP, WebSocket, the daemon under test."""

//! A mediator put together: registration, heartbeat, jobs and server.

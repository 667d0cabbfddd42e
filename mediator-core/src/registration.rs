//! Registers a mediator with OpenHIM core and finds out what that changed.

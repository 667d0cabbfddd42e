//! Tells OpenHIM core, again and again, that the mediator is there.

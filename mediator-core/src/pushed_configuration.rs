//! Settings that an operator changes in OpenHIM's console while the mediator runs.

//! Creates the channels that a mediator brings along, where they are missing.

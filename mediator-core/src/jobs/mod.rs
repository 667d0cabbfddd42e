//! Work on a schedule.

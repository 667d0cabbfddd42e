//! A client of OpenHIM core's API.

//! The answer that OpenHIM core understands: `application/json+openhim`.

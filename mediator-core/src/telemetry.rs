//! Export of traces by OpenTelemetry.

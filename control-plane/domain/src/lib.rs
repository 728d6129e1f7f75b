//! Rules and state machines as plain values. No IO, no async, no clock.

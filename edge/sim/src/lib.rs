//! Boxes by the thousand: the real agent over a simulated host.

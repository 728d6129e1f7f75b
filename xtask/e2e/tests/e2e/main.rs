//! The whole product, end to end.

#[cfg(test)]
mod harness;
#[cfg(test)]
mod killing;

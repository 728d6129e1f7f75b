//! The whole product, end to end.

#[cfg(test)]
mod killing;

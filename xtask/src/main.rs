//! Program `xtask`.

fn main() {}

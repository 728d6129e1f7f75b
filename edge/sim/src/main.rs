//! Program `kaliun-edge-sim`.

fn main() {}

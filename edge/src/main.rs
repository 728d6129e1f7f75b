//! Program `kaliun-edge`.

fn main() {}

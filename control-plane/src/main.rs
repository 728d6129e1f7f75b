//! Program `kaliun-control-plane`.

fn main() {}

//! Program `kaliun-fleetctl`.

fn main() {}

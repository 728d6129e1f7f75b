//! Program `kaliun-bench`.

fn main() {}

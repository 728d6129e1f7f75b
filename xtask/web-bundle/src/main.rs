//! Program `kaliun-web-bundle`.

fn main() {}
